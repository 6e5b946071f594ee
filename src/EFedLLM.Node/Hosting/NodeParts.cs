using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Hosting;

/// <summary>What a node's roles ask for, started in order: read top to bottom, it is the node's bill of materials.</summary>
internal sealed class NodeParts : IAsyncDisposable
{
    private readonly CancellationTokenSource _over = new();
    private DeviceKey? _key;
    private HttpHost? _http;
    private EnrolmentDesk? _desk;
    private EnrolmentHost? _enrolment;
    private BlobHost? _files;
    private BlobFetcher? _fetcher;
    private Lazy<Task<IActorRef>>? _reporter;
    private ProofStore? _proofs;
    private ProofReplay? _replay;
    private Task _verdicts = Task.CompletedTask;

    private NodeParts()
    {
    }

    /// <summary>The device, or null where the node is none.</summary>
    public DeviceId? Device { get; private set; }

    /// <summary>Replays the proofs that this node keeps; null where it is no gateway.</summary>
    public IProofReplay? Replay => _replay;

    /// <summary>Base address of the HTTP interface, or null where the node has none.</summary>
    public Uri? Http => _http?.Address;

    /// <summary>Starts them.</summary>
    /// <param name="system">The node's actor system.</param>
    /// <param name="options">What the node is and does.</param>
    /// <param name="view">Its view actor.</param>
    /// <param name="feed">The same for code outside actors.</param>
    /// <param name="leave">How it is asked to leave.</param>
    /// <param name="log">Takes the log.</param>
    /// <param name="cancellation">Gives up waiting for the cluster.</param>
    public static async Task<NodeParts> StartAsync(
        ActorSystem system, NodeOptions options, IActorRef view, ViewFeed feed, LeaveRequest leave, ILoggerProvider log, CancellationToken cancellation)
    {
        var parts = new NodeParts();
        try
        {
            await parts.StartAllAsync(system, options, view, feed, leave, log, cancellation);
            return parts;
        }
        catch
        {
            await parts.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until the ledger has the node's reports, but not longer than <paramref name="patience"/>.</summary>
    public async Task FlushAsync(TimeSpan patience)
    {
        if (_reporter is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            await (await _reporter.Value).FlushReportsAsync(patience);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _verdicts;
        _over.Dispose();
        if (_http is not null)
        {
            await _http.DisposeAsync();
        }

        if (_files is not null)
        {
            await _files.DisposeAsync();
        }

        if (_proofs is not null)
        {
            await _proofs.Written;
        }

        _replay?.Dispose();
        _fetcher?.Dispose();
        if (_enrolment is not null)
        {
            await _enrolment.DisposeAsync();
        }

        _desk?.Dispose();
    }

    private async Task StartAllAsync(
        ActorSystem system, NodeOptions options, IActorRef view, ViewFeed feed, LeaveRequest leave, ILoggerProvider log, CancellationToken cancellation)
    {
        var limits = NodeLimits.Read(system.Settings.Config);
        var membership = await StartMembershipAsync(system, options, feed, log);
        if (options.Has(NodeRoles.Device) || options.Has(NodeRoles.Gateway) || options.Has(NodeRoles.Ledger))
        {
            _key = DeviceKey.LoadOrCreate(Path.Combine(options.DataFolder, NodeFiles.Key));

            // Whoever signs with it ends with the system.
            system.RegisterOnTermination(_key.Dispose);
        }

        // A device has nothing to report but false files, and those are rare; its work is reported by gateways.
        var ledger = options.Has(NodeRoles.Ledger) || options.Has(NodeRoles.Gateway) ? await system.StartLedgerAsync(_key!, cancellation) : ActorRefs.Nobody;
        _reporter = new Lazy<Task<IActorRef>>(() => StartReporterAsync(system, options, limits, ledger, view));
        if (options.Has(NodeRoles.Ledger))
        {
            // Its database opens with the first question, and then the first report need not wait for it.
            ledger.Tell(new ListLedgerDevices(), ActorRefs.Nobody);
        }

        if (options.Has(NodeRoles.Anchor))
        {
            system.StartPlacement(view, limits, options.ExpectedDevices);
            system.StartGhostWatch();
        }

        DeviceBlobs? files = null;
        if (options.Has(NodeRoles.Device) || (options.Has(NodeRoles.Gateway) && options.ModelFolders.Any(FactoredModel.IsFactored)))
        {
            files = await StartFilesAsync(system, options, log);
        }

        if (options.Has(NodeRoles.Device))
        {
            Device = _key!.Device;
            system.StartDevice(new DeviceSettings
            {
                DeviceId = _key.Device,
                Key = _key,
                Owner = limits.Owner,
                Certificate = NodeIdentity.Of(system)?.Certificate.Shown ?? default,
                Name = options.Name,
                ModelFolders = options.ModelFolders,
                Limits = limits,
                View = view,
                Blobs = files,
                Saboteur = options.Saboteur is { } saboteur ? Saboteur.Parse(saboteur) : null,
                Report = report => Report(report, log.CreateLogger(nameof(NodeParts))),
                DrainGrace = limits.DrainTime,
                LeaveAsked = leave.Ask,
                LeaveTold = leave.Tell,
            });
            _verdicts = FollowVerdictsAsync(system, feed, ledger, leave, log.CreateLogger(nameof(OwnVerdicts)));
        }

        if (options.Has(NodeRoles.Gateway))
        {
            await StartGatewayAsync(system, options, limits, view, feed, ledger, membership, files, log);
        }
    }

    private async Task FollowVerdictsAsync(ActorSystem system, ViewFeed feed, IActorRef ledger, LeaveRequest leave, ILogger log)
    {
        try
        {
            await OwnVerdicts.FollowAsync(
                feed,
                _key!.Device,
                async () => ledger.IsNobody() ? await system.StartLedgerAsync(_key!, _over.Token) : ledger,
                words =>
                {
                    log.LogWarning("{Words}", words);
                    leave.Tell(words);
                },
                _over.Token);
        }
        catch (Exception error)
        {
            log.LogError(error, "What checks find wrong with this device is not told here any more.");
        }
    }

    private async Task<IActorRef> StartReporterAsync(ActorSystem system, NodeOptions options, NodeLimits limits, IActorRef ledger, IActorRef view)
        => await system.StartWorkReporterAsync(
            ledger.IsNobody() ? await system.StartLedgerAsync(_key!, CancellationToken.None) : ledger,
            Path.Combine(options.DataFolder, NodeFiles.Outbox),
            new OutboxLimits(limits.OutboxReports, limits.OutboxBytes),
            TimeProvider.System,
            _key!,
            view);

    private async Task<DeviceBlobs> StartFilesAsync(ActorSystem system, NodeOptions options, ILoggerProvider log)
    {
        var limits = BlobLimits.Read(system.Settings.Config);
        var certificate = NodeIdentity.Of(system)?.Certificate;
        var store = BlobStore.Open(options.DataFolder, limits.DiskBytes);
        _fetcher = new BlobFetcher(store, limits, certificate);
        _files = await BlobHost.StartAsync(new BlobHostSettings(options.Host, limits, certificate), store, log);
        return new DeviceBlobs(store, _fetcher, _files.Port, certificate is not null);
    }

    /// <summary>Tells the ledger, beside the actor that asks for it.</summary>
    private void Report(WorkReport report, ILogger log) => Task.Run(async () =>
    {
        try
        {
            (await _reporter!.Value).Tell(report);
        }
        catch (Exception error)
        {
            log.LogError(error, "The ledger cannot be told of device {Device}.", report.Device.Short);
        }
    });

    private async Task<MembershipApi> StartMembershipAsync(ActorSystem system, NodeOptions options, ViewFeed feed, ILoggerProvider log)
    {
        if (NodeIdentity.Of(system) is not { } identity)
        {
            return options.AuthorityFolder is null
                ? new MembershipApi(null, feed)
                : throw new UserErrorException("A node that invites (--ca) needs a certificate of its own: name its folder with --cert.", ExitCodes.Usage);
        }

        var membership = system.StartMembership();
        if (options.AuthorityFolder is not { } folder)
        {
            return new MembershipApi(identity, feed);
        }

        _desk = EnrolmentDesk.Open(folder, identity, TimeProvider.System);
        _enrolment = await EnrolmentHost.StartAsync(options.Host, options.EnrolPort, _desk, identity, log);
        var address = new HostPort(options.PublicHost ?? options.Host, _enrolment.Port).ToString();
        return new MembershipApi(identity, feed, _desk, OperatorToken.LoadOrCreate(folder), membership, address);
    }

    private async Task StartGatewayAsync(
        ActorSystem system, NodeOptions options, NodeLimits limits, IActorRef view, ViewFeed feed, IActorRef ledger, MembershipApi membership, DeviceBlobs? files, ILoggerProvider log)
    {
        foreach (var folder in options.ModelFolders.Where(FactoredModel.IsFactored))
        {
            files?.Store.AddFolder(folder);
        }

        var models = options.ModelFolders.Select(folder => GatewayModel.Open(folder, options.ChatTemplate)).ToList();
        StartProofs(system, options, limits, log.CreateLogger(nameof(ProofStore)));
        var gateway = system.StartGateway(new GatewaySettings
        {
            Models = models,
            Files = files is null ? null : new FilesOffer(_key!.Device, files.Port),
            Id = _key!.Device,
            Owner = NodeIdentity.Of(system)?.Certificate.Owner ?? limits.Owner,
            Trust = TrustSettings.Read(system.Settings.Config),
            Proofs = _proofs,
            Limits = limits,
            View = view,
            Reporter = await _reporter!.Value,
        });
        if (options.HttpPort is not { } port)
        {
            return;
        }

        var certificate = BindRules.IsLoopback(options.HttpHost) ? null : NodeIdentity.Of(system)?.Certificate.Certificate;
        _http = await HttpHost.StartAsync(
            new HttpHostSettings(options.HttpHost, port, certificate),
            new GatewayBackend(new GatewayClient(system, gateway), models, feed),
            new ClusterApi(feed, Manifests(options.ModelFolders), ledger, limits.CacheShare),
            new HttpApiSettings(limits.HttpBodyBytes, limits.DefaultMaxTokens, limits.MaxTokens),
            log,
            TimeProvider.System,
            membership,
            new AppealDesk(ledger, _replay),
            _proofs);
    }

    /// <summary>Keeps what proves verdicts, and can replay it: on threads of its own, with the memory that a judge may take.</summary>
    private void StartProofs(ActorSystem system, NodeOptions options, NodeLimits limits, ILogger log)
    {
        _proofs = ProofStore.Open(
            Path.Combine(options.DataFolder, NodeFiles.Proofs), ProofStore.DefaultFiles, ProofStore.DefaultBytes, error => log.LogError(error, "What proves a verdict is not kept."));
        _replay = new ProofReplay(_proofs, options.ModelFolders, limits.Threads, limits.DeviceMemoryBytes, NodeIdentity.ClusterOf(system));
    }

    private static Dictionary<ModelId, ModelManifest> Manifests(IReadOnlyList<string> folders)
    {
        var manifests = new Dictionary<ModelId, ModelManifest>();
        foreach (var folder in folders.Where(FactoredModel.IsFactored))
        {
            var json = File.ReadAllBytes(Path.Combine(folder, ModelManifest.FileName));
            manifests[ModelManifest.IdOf(json)] = ModelManifest.Parse(json);
        }

        return manifests;
    }
}
