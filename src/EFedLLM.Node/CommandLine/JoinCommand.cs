using System.CommandLine;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm join</c>: this machine becomes a device of a cluster, until Ctrl-C.</summary>
internal sealed class JoinCommand : Command
{
    private readonly Option<string[]> _seeds = new("--seed", "-s") { Description = "Address of the cluster, as \"efedllm up\" prints it; may be given several times.", HelpName = "host:port", Required = true };
    private readonly Option<string?> _name = new("--name") { Description = "A name for people. Default: this machine's.", HelpName = "text" };
    private readonly Option<string[]> _models = new("--model", "-m")
    {
        Description = "A checkpoint folder or a factored model to have ready beside the bundled one and those compressed before; may be given several times.",
        HelpName = "folder",
    };

    private readonly Option<string?> _publicHost = new("--public-host") { Description = "Host under which others reach this machine. Default: --host.", HelpName = "host" };
    private readonly Option<string?> _data = CommonOptions.Data();
    private readonly Option<bool> _verbose = CommonOptions.Verbose();
    private readonly NodeOptionsReader _node;

    public JoinCommand()
        : base("join", "Make this machine a device of a cluster; Ctrl-C takes it out again.")
    {
        foreach (var option in new Option[] { _seeds, _name, _models })
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
        var seeds = parse.GetRequiredValue(_seeds).Select(seed => HostPort.Parse(seed, "--seed").ToString()).ToList();
        var name = (parse.GetValue(_name) ?? Environment.MachineName).Trim();
        if (name.Length is 0 or > 64)
        {
            throw new UserErrorException("--name must have 1 to 64 characters.", ExitCodes.Usage);
        }

        var certificate = _node.Certificate(parse);
        BindRules.Check(_node.Host(parse), certificate is not null);
        var models = await ModelPreparation.AvailableAsync(parse.GetValue(_models) ?? [], cancellation);
        using var data = DataFolder.Claim(parse.GetValue(_data), "device");
        var options = new NodeOptions
        {
            Name = name,
            Roles = [NodeRoles.Device],
            DataFolder = Path.Combine(data.Path, "node"),
            Host = _node.Host(parse),
            PublicHost = parse.GetValue(_publicHost),
            Port = _node.Port(parse),
            Seeds = seeds,
            ModelFolders = models,
            MemoryBytes = _node.Memory(parse),
            Threads = _node.Threads(parse),
            RepairTimeout = _node.RepairTimeout(parse),
            CertificateFolder = certificate,
            Profile = _node.Network(parse),
            ConfigurationFile = _node.Configuration(parse),
            Verbose = parse.GetValue(_verbose),
        };
        Screen.Note($"joining {string.Join(", ", seeds)} as {name}; Ctrl-C leaves");
        await using var host = await NodeHost.StartAsync(options, cancellation);
        Screen.Note($"device {host.Ready.Device?[..8]} is in the cluster at {host.Ready.Address}; waiting for layers");
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var telling = TellAsync(host, over.Token);
        try
        {
            await host.RunAsync(cancellation, CancellationToken.None);
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
