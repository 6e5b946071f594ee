using System.CommandLine;
using System.Text.Json;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Output;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm node</c>: one node, told everything by its arguments. <c>up</c> starts its processes with it; people use <c>up</c> and <c>join</c>.</summary>
internal sealed class NodeCommand : Command
{
    private readonly Option<string> _name = new("--name") { Description = "Its name for people.", Required = true };
    private readonly Option<string> _data = new("--data") { Description = "Folder for its key, ledger and log.", Required = true };
    private readonly Option<string[]> _roles = new("--role") { Description = "What it does; may be given several times.", Required = true };
    private readonly Option<string[]> _seeds = new("--seed") { Description = "Address of an anchor; may be given several times. An anchor without one founds a cluster." };
    private readonly Option<string[]> _models = new("--model") { Description = "Folder of a factored model that it has or answers for; may be given several times." };
    private readonly Option<string?> _publicHost = new("--public-host") { Description = "Host under which others reach it." };
    private readonly Option<int?> _expected = new Option<int?>("--expected-devices") { Description = "How many devices the first placement waits for." }.Between(1, 100_000);
    private readonly Option<string> _httpHost = new("--http-host") { Description = "Address of the HTTP interface.", DefaultValueFactory = _ => "127.0.0.1" };
    private readonly Option<int?> _httpPort = new Option<int?>("--http-port") { Description = "Port of the HTTP interface; 0 is any free one. Default: none." }.Between(0, ushort.MaxValue);
    private readonly Option<string?> _authority = CommonOptions.Authority("Folder of the cluster's authority: the node then invites and evicts.");
    private readonly Option<int?> _enrolPort = CommonOptions.EnrolPort();
    private readonly Option<string?> _chatTemplate = CommonOptions.ChatTemplate();
    private readonly Option<string?> _trust = new("--trust") { Description = "Whether a gateway checks what devices compute.", HelpName = "on|off" };
    private readonly Option<string?> _saboteur = new("--saboteur") { Description = "What the device does wrong on purpose.", HelpName = SaboteurSpec.Help };
    private readonly Option<bool> _supervised = new("--supervised") { Description = "End when standard input ends." };
    private readonly Option<bool> _verbose = CommonOptions.Verbose();
    private readonly NodeOptionsReader _node;

    public NodeCommand()
        : base("node", "Run one node.")
    {
        Hidden = true;
        _node = new NodeOptionsReader(this);
        _trust.AcceptOnlyFromAmong("on", "off");
        foreach (var option in new Option[] { _name, _data, _roles, _seeds, _models, _publicHost, _expected, _httpHost, _httpPort, _authority, _enrolPort, _chatTemplate, _trust, _saboteur, _supervised, _verbose })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    /// <summary>What a command line makes of a node.</summary>
    internal NodeOptions Read(ParseResult parse) => new()
    {
        Name = parse.GetRequiredValue(_name),
        Roles = parse.GetRequiredValue(_roles),
        DataFolder = Path.GetFullPath(parse.GetRequiredValue(_data)),
        Host = _node.Host(parse),
        PublicHost = parse.GetValue(_publicHost),
        Port = _node.Port(parse),
        Seeds = parse.GetValue(_seeds) ?? [],
        ModelFolders = parse.GetValue(_models) ?? [],
        ChatTemplate = parse.GetValue(_chatTemplate),
        MemoryBytes = _node.Memory(parse),
        Threads = _node.Threads(parse),
        RepairTimeout = _node.RepairTimeout(parse),
        ExpectedDevices = parse.GetValue(_expected) ?? 1,
        HttpHost = parse.GetRequiredValue(_httpHost),
        HttpPort = parse.GetValue(_httpPort),
        CertificateFolder = _node.Certificate(parse),
        AuthorityFolder = parse.GetValue(_authority) is { } authority ? Path.GetFullPath(authority) : null,
        EnrolPort = parse.GetValue(_enrolPort) ?? 0,
        Profile = _node.Network(parse),
        ConfigurationFile = _node.Configuration(parse),
        LedgerDatabase = _node.LedgerDatabase(parse),
        Trust = parse.GetValue(_trust) is { } trust ? trust == "on" : null,
        Saboteur = parse.GetValue(_saboteur) is { } saboteur ? SaboteurSpec.Check(saboteur) : null,
        Supervised = parse.GetValue(_supervised),
        Verbose = parse.GetValue(_verbose),
    };

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var options = Read(parse);
        using var orphaned = new CancellationTokenSource();
        if (options.Supervised)
        {
            ParentWatch.Start(orphaned.Cancel);
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation, orphaned.Token);
        NodeHost host;
        try
        {
            host = await NodeHost.StartAsync(options, ending.Token);
        }
        catch (Exception error) when (options.Supervised && error is not OperationCanceledException)
        {
            var (message, code) = CommandGuard.Explain(error, ending.Token);
            Say(new NodeReady { Ready = false, Name = options.Name, Error = message });
            return code;
        }

        await using (host)
        {
            Say(host.Ready);
            host.Leaving.Told += options.Supervised ? Tell : Screen.Note;
            await host.RunAsync(cancellation, orphaned.Token);
        }

        return ExitCodes.Ok;
    }

    private static void Tell(string words) => Console.Out.WriteLine(JsonSerializer.Serialize(new NodeNote(words), NodeNoteJson.Default.NodeNote));

    private static void Say(NodeReady ready) => Console.Out.WriteLine(JsonSerializer.Serialize(ready, NodeReadyJson.Default.NodeReady));
}
