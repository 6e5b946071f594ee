using System.Globalization;
using System.Runtime.CompilerServices;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Supervision;

/// <summary>A cluster of child processes: one node that is gateway, ledger, verifier and anchor, and the devices.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    // Two seconds for a plan that a late device changes.
    private const int MostSettling = 40;

    private readonly List<ChildNode> _children;

    private LocalCluster(List<ChildNode> children) => _children = children;

    /// <summary>The nodes, the anchor first.</summary>
    public IReadOnlyList<ChildNode> Nodes => _children;

    /// <summary>Base address of the gateway's HTTP interface.</summary>
    public Uri Gateway { get; private set; } = null!;

    /// <summary>Base addresses of the other HTTP interfaces: of the further gateways and then of the devices, where these have any.</summary>
    public IReadOnlyList<Uri> FurtherGateways { get; private set; } = [];

    /// <summary>Address that further devices join.</summary>
    public string Seed { get; private set; } = "";

    /// <summary>Folder with the certificate that further devices need one like, or null.</summary>
    public string? CertificateFolder { get; private init; }

    /// <summary>Folder of its authority, or null where it cannot invite further devices.</summary>
    public string? AuthorityFolder { get; private init; }

    /// <summary>Folder with its authority's certificate, or null where it has none.</summary>
    public string? TrustFolder => AuthorityFolder ?? CertificateFolder;

    /// <summary>Starts all processes at once and waits until each is ready.</summary>
    /// <exception cref="UserErrorException">One cannot start; the message says which and why. None is left behind.</exception>
    public static async Task<LocalCluster> StartAsync(ClusterSettings settings, CancellationToken cancellation)
    {
        var seed = new HostPort(settings.Host, settings.Port != 0 ? settings.Port : FreePort.Find()).ToString();
        var cluster = new LocalCluster([]) { Seed = seed, CertificateFolder = settings.CertificateFolder, AuthorityFolder = settings.AuthorityFolder };
        try
        {
            var plan = Plan(settings, seed).ToList();
            MakeCertificates(settings, plan);
            foreach (var options in plan)
            {
                cluster._children.Add(ChildNode.Start(options));
            }

            var all = Task.WhenAll(cluster._children.Select(child => child.Ready));
            var first = await Task.WhenAny(all, cluster.FirstFailureAsync()).WaitAsync(cancellation);
            await first;
            var ready = await all;
            cluster.Gateway = AddressOf(ready[0]);
            cluster.FurtherGateways = [.. ready.Skip(1).Where(node => node.Http is not null).Select(AddressOf)];
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until every device serves what the plan gives it and the model can be asked.</summary>
    /// <exception cref="UserErrorException">A process ended, or the cluster is not ready in time.</exception>
    public async Task<ClusterFacts> WaitUntilPlacedAsync(int devices, TimeSpan limit, CancellationToken cancellation)
    {
        await using var client = new GatewayHttpClient(Gateway, null, null, TrustFolder);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(limit);
        using var timer = new PeriodicTimer(PollInterval);
        var ended = WaitForAnyExitAsync(patience.Token);
        var settling = 0;
        ClusterFacts? facts = null;
        try
        {
            do
            {
                if (ended.IsCompletedSuccessfully)
                {
                    throw new UserErrorException($"{(await ended).Options.Name} ended while the layers were being placed.");
                }

                facts = await client.ReadClusterAsync(patience.Token);
            }
            while (!(IsPlaced(facts, devices) && (UsesAll(facts, devices) || ++settling > MostSettling)) && await timer.WaitForNextTickAsync(patience.Token));
            return facts;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            var problem = facts?.Models.Select(model => model.Problem).FirstOrDefault(problem => problem is not null);
            throw new UserErrorException($"The cluster was not ready within {limit.TotalSeconds:0} s: {problem ?? "devices are missing"}");
        }
    }

    /// <summary>Waits until one of the processes has ended and returns it.</summary>
    public async Task<ChildNode> WaitForAnyExitAsync(CancellationToken cancellation)
    {
        var exits = _children.ToDictionary(child => child.WaitForExitAsync(cancellation));
        var first = await Task.WhenAny(exits.Keys);
        await first;
        return exits[first];
    }

    /// <summary>Each process that ends, as it does.</summary>
    /// <exception cref="UserErrorException">The first node ended, without which there is no cluster.</exception>
    public async IAsyncEnumerable<ChildNode> ExitsAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var exits = _children.ToDictionary(child => child.WaitForExitAsync(cancellation));
        while (exits.Count > 0)
        {
            var next = await Task.WhenAny(exits.Keys);
            await next;
            exits.Remove(next, out var child);
            if (child == _children[0])
            {
                throw new UserErrorException(
                    $"The gateway's process has ended, and the cluster with it. Its log is {Path.Combine(child.Options.DataFolder, NodeFiles.Log)}.");
            }

            yield return child!;
        }
    }

    /// <summary>Ends all processes and waits until none is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_children.Select(child => child.StopAsync(StopGrace)));
        foreach (var child in _children)
        {
            await child.DisposeAsync();
        }
    }

    /// <summary>Whether the plan is carried out: enough devices, each assigned range served, the model ready.</summary>
    internal static bool IsPlaced(ClusterFacts facts, int devices) =>
        facts.Devices.Count >= devices
        && facts.Models.Count > 0
        && facts.Models.All(model => model.Ready && model.Assignments.Count > 0 && model.Assignments.All(assignment =>
            facts.Devices.Any(device => device.Id == assignment.Device
                && device.Shards.Any(shard => shard.Model == model.Name && shard.First == assignment.First && shard.End == assignment.End))));

    /// <summary>Whether every device is in the plan. A device that came late is in the next one; one that is of no use to the model is in none.</summary>
    private static bool UsesAll(ClusterFacts facts, int devices) => facts.Models.All(model => model.Assignments.Count >= Math.Min(devices, model.Layers + 2));

    private async Task FirstFailureAsync()
    {
        var waiting = _children.Select(child => child.Ready).ToList();
        while (waiting.Count > 0)
        {
            var next = await Task.WhenAny(waiting);
            waiting.Remove(next);
            await next;
        }
    }

    private static void MakeCertificates(ClusterSettings settings, IReadOnlyList<NodeOptions> plan)
    {
        if (settings.AuthorityFolder is not { } folder)
        {
            return;
        }

        using var authority = LocalCertificates.Authority(folder, out var made);
        if (made)
        {
            Screen.Note($"made an authority for this cluster in {folder}; keep its {CertificateAuthority.KeyFile} safe");
        }

        if (settings.CertificateFolder is not null)
        {
            return;
        }

        string[] hosts = [.. new[] { settings.Host, settings.HttpHost, "127.0.0.1", "localhost" }.Where(host => Uri.CheckHostName(host) != UriHostNameType.Unknown).Distinct()];
        foreach (var node in plan)
        {
            DeviceId? device = null;
            if (node.Has(NodeRoles.Device))
            {
                using var key = DeviceKey.LoadOrCreate(Path.Combine(node.DataFolder, NodeFiles.Key));
                device = key.Device;
            }

            // Whoever has the authority's key says whose these nodes are.
            var owner = NodeLimits.Read(NodeConfiguration.Build(node.ToSettings())).Owner;
            LocalCertificates.Ensure(authority, node.CertificateFolder!, node.Name, hosts, device, owner, TimeProvider.System);
        }
    }

    /// <summary>What each node is told, the anchor first.</summary>
    internal static IEnumerable<NodeOptions> Plan(ClusterSettings settings, string seed)
    {
        var address = HostPort.Parse(seed, "seed");
        var anchor = new NodeOptions
        {
            Name = "anchor",
            Roles = NodeRoles.FirstNode,
            DataFolder = Path.Combine(settings.DataFolder, "anchor"),
            Host = settings.Host,
            Port = address.Port,
            ModelFolders = [settings.ModelFolder],
            ChatTemplate = settings.ChatTemplate,
            HttpHost = settings.HttpHost,
            HttpPort = settings.HttpPort,
            CertificateFolder = CertificateOf(settings, "anchor"),
            AuthorityFolder = settings.AuthorityFolder,
            EnrolPort = settings.EnrolPort,
            Profile = settings.Profile,
            ConfigurationFile = settings.ConfigurationFile,
            RepairTimeout = settings.RepairTimeout,
            LedgerDatabase = settings.LedgerDatabase,
            Trust = settings.Trust,
            ExpectedDevices = settings.Devices,
            Supervised = true,
            Verbose = settings.Verbose,
        };
        yield return anchor;
        foreach (var gateway in settings.Gateways)
        {
            yield return anchor with
            {
                Name = gateway.Name,
                Roles = [NodeRoles.Gateway],
                DataFolder = Path.Combine(settings.DataFolder, gateway.Name),
                Port = 0,
                Seeds = [seed],
                HttpPort = 0,
                CertificateFolder = CertificateOf(settings, gateway.Name),
                AuthorityFolder = null,
                LedgerDatabase = null,
                Trust = gateway.Trust,
                ConfigurationFile = gateway.ConfigurationFile ?? settings.ConfigurationFile,
            };
        }

        var threads = ThreadsOf(settings);
        for (var number = 1; number <= settings.Devices; number++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"device-{number}");
            yield return anchor with
            {
                Name = name,
                Roles = settings.DeviceGateways ? [NodeRoles.Device, NodeRoles.Gateway] : [NodeRoles.Device],
                DataFolder = Path.Combine(settings.DataFolder, name),
                Port = 0,
                Seeds = [seed],
                HttpPort = settings.DeviceGateways ? 0 : null,
                ChatTemplate = null,
                // The others fetch what they are to hold, as they would on machines of their own.
                ModelFolders = number == 1 || settings.DeviceGateways || !FactoredModel.IsFactored(settings.ModelFolder) ? anchor.ModelFolders : [],
                CertificateFolder = CertificateOf(settings, name),
                AuthorityFolder = null,
                LedgerDatabase = null,
                Trust = null,
                MemoryBytes = settings.MemoryBytes,
                Threads = threads,
                Saboteur = settings.Saboteurs.GetValueOrDefault(number),
            };
        }
    }

    /// <summary>Compute threads of each device: the devices of one machine share its processors out, unless somebody says how many each is to take.</summary>
    private static int ThreadsOf(ClusterSettings settings)
    {
        var configuration = NodeConfiguration.Build(new NodeSettings
        {
            Roles = [NodeRoles.Device, NodeRoles.Anchor],
            DataFolder = settings.DataFolder,
            Profile = settings.Profile,
            ConfigurationFile = settings.ConfigurationFile,
            Threads = settings.Threads,
        });
        return configuration.GetInt("efedllm.device.threads") is var configured and > 0 ? configured : Math.Max(1, Environment.ProcessorCount / settings.Devices);
    }

    private static Uri AddressOf(NodeReady node) => new(node.Http ?? throw new UserErrorException("A gateway has no HTTP interface."));

    private static string? CertificateOf(ClusterSettings settings, string name) =>
        settings.CertificateFolder ?? (settings.AuthorityFolder is null ? null : Path.Combine(settings.DataFolder, name, "certificate"));
}
