using System.CommandLine;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Client;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm join</c>: this machine becomes a device of a cluster, until Ctrl-C.</summary>
internal sealed class JoinCommand : Command
{
    private readonly Argument<string?> _what = new("invite | host:port")
    {
        Description = "An invite, as \"efedllm invite\" prints it, or the address of a cluster on this machine. Default: the cluster joined last by invite.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string[]> _seeds = new("--seed", "-s") { Description = "Address of the cluster, as \"efedllm up\" prints it; may be given several times.", HelpName = "host:port" };
    private readonly Option<string?> _name = new("--name") { Description = "A name for people. Default: the invite's, else this machine's.", HelpName = "text" };
    private readonly Option<string[]> _models = new("--model", "-m")
    {
        Description = "A checkpoint folder or a factored model that is here already, beside those compressed before; may be given several times. What is not here is fetched from the cluster.",
        HelpName = "folder",
    };

    private readonly Option<string[]> _roles = new("--role")
    {
        Description = "What this machine does in the cluster; may be given several times. A ledger node keeps the rewards (--ledger-db); an anchor decides who stays when the network breaks. Default: device.",
        HelpName = $"{NodeRoles.Device}|{NodeRoles.Ledger}|{NodeRoles.Anchor}",
    };

    private readonly Option<string?> _publicHost = new("--public-host") { Description = "Host under which others reach this machine. Default: --host.", HelpName = "host" };
    private readonly Option<string?> _data = CommonOptions.Data();
    private readonly Option<bool> _verbose = CommonOptions.Verbose();
    private readonly NodeOptionsReader _node;

    public JoinCommand()
        : base("join", "Make this machine a device (or a ledger node) of a cluster; Ctrl-C takes it out again.")
    {
        Add(_what);
        _roles.AcceptOnlyFromAmong(NodeRoles.Device, NodeRoles.Ledger, NodeRoles.Anchor);
        foreach (var option in new Option[] { _seeds, _name, _roles, _models })
        {
            Add(option);
        }

        _node = new NodeOptionsReader(this);
        Add(_publicHost);
        Add(_data);
        Add(_verbose);
        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var name = (parse.GetValue(_name) ?? Environment.MachineName).Trim();
        if (name.Length is 0 or > 64)
        {
            throw new UserErrorException("--name must have 1 to 64 characters.", ExitCodes.Usage);
        }

        var (invite, seeds) = JoinTarget.Read(parse.GetValue(_what), parse.GetValue(_seeds) ?? []);
        string[] roles = parse.GetValue(_roles) is { Length: > 0 } wanted ? [.. wanted.Distinct()] : [NodeRoles.Device];
        var named = _node.Certificate(parse);
        using var data = DataFolder.Claim(parse.GetValue(_data), "device");
        var nodeFolder = Path.Combine(data.Path, "node");
        using var key = DeviceKey.LoadOrCreate(Path.Combine(nodeFolder, NodeFiles.Key));
        var target = await JoinTarget.FindAsync(invite, seeds, named, data.Path, key, name, cancellation);
        var host = _node.NamedHost(parse) ?? (target.Joined is null ? _node.Host(parse) : await LocalAddress.TowardsAsync(HostPort.Parse(target.Seeds[0], "The seed"), cancellation));
        BindRules.Check(host, target.CertificateFolder is not null);
        if (target.Joined is { } joined)
        {
            name = parse.GetValue(_name) is null ? joined.Name : name;
            if (await EnrolmentClient.EvictedAsync(joined, key.Device, cancellation) is { } evicted)
            {
                throw new UserErrorException(
                    $"This device was evicted from the cluster at {evicted.UtcDateTime:yyyy-MM-dd HH:mm} UTC. Its operator can let it in again: efedllm cluster readmit {key.Device}");
            }
        }

        var models = roles.Contains(NodeRoles.Device) ? await ModelPreparation.AvailableAsync(parse.GetValue(_models) ?? [], cancellation) : [];
        var options = new NodeOptions
        {
            Name = name,
            Roles = roles,
            DataFolder = nodeFolder,
            Host = host,
            PublicHost = parse.GetValue(_publicHost),
            Port = _node.Port(parse),
            Seeds = target.Seeds,
            ModelFolders = models,
            MemoryBytes = _node.Memory(parse),
            Threads = _node.Threads(parse),
            RepairTimeout = _node.RepairTimeout(parse),
            CertificateFolder = target.CertificateFolder,
            Profile = _node.Network(parse),
            ConfigurationFile = _node.Configuration(parse),
            LedgerDatabase = _node.LedgerDatabase(parse),
            Verbose = parse.GetValue(_verbose),
        };
        Screen.Note($"joining {string.Join(", ", target.Seeds)} as {name}; Ctrl-C leaves");
        await using var node = await NodeHost.StartAsync(options, cancellation);
        Screen.Note(node.Ready.Device is { } device
            ? $"device {device[..8]} is in the cluster at {node.Ready.Address}; waiting for layers"
            : $"{string.Join(" and ", roles)} {name} is in the cluster at {node.Ready.Address}");
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var telling = Task.WhenAll(TellAsync(node, over.Token), FetchBar.RunAsync(node.View, node.Ready.Device, over.Token));
        node.Leaving.Told += Screen.Note;
        using var started = cancellation.Register(() => Screen.Note("leaving; Ctrl-C again stops at once"));
        try
        {
            await node.RunAsync(cancellation, CancellationToken.None);
        }
        finally
        {
            await over.CancelAsync();
            await telling;
        }

        Screen.Note("left the cluster");
        return ExitCodes.Ok;
    }

    /// <summary>Tells what this device serves, each time it changes.</summary>
    private static async Task TellAsync(NodeHost host, CancellationToken cancellation)
    {
        var told = "";
        try
        {
            while (true)
            {
                var view = await host.View.WaitAsync(seen => Describe(host, seen) is { } now && now != told, cancellation);
                told = Describe(host, view)!;
                Console.Out.WriteLine(told);
            }
        }
        catch (OperationCanceledException)
        {
            // The device leaves.
        }
    }

    /// <summary>What this device serves in one line, or null before it serves anything.</summary>
    private static string? Describe(NodeHost host, ClusterView view)
    {
        if (view.Devices.FirstOrDefault(device => device.Device.Value == host.Ready.Device) is not { Loaded.IsEmpty: false } own)
        {
            return null;
        }

        return string.Join(Environment.NewLine, own.Loaded.OrderBy(loaded => loaded.Range.First).Select(loaded =>
        {
            var model = view.Models.FirstOrDefault(model => model.Model == loaded.Model);
            var units = model is null || !loaded.Range.IsValid(model.Layers) ? loaded.Range.ToString() : loaded.Range.Describe(model.Layers);
            return $"serves {model?.Name ?? loaded.Model.Short}: {units} ({Say.Bytes(loaded.WeightBytes)})";
        }));
    }
}
