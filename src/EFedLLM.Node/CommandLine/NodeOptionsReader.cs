using System.CommandLine;
using EFedLLM.Actors.Configuration;

namespace EFedLLM.Node.CommandLine;

/// <summary>The options that every command that starts nodes shares: where they listen, what they give, whom they trust.</summary>
internal sealed class NodeOptionsReader
{
    private readonly Option<string> _host = new("--host") { Description = "Address to listen on for the cluster. Anything but this machine's own needs --cert.", HelpName = "address", DefaultValueFactory = _ => "127.0.0.1" };
    private readonly Option<int?> _port = new Option<int?>("--port") { Description = "Port to listen on for the cluster. Default: any free one.", HelpName = "n" }.Between(0, ushort.MaxValue);
    private readonly Option<string?> _memory = new("--memory") { Description = "Memory that each device gives to weights and caches, for example 4GB. Default: 2GiB.", HelpName = "size" };
    private readonly Option<int?> _threads = CommonOptions.Threads("all of the machine's processors, which up shares out among its devices");
    private readonly Option<string?> _certificate = new("--cert") { Description = "Folder with this machine's certificate, as \"efedllm cert\" makes it: members then prove who they are.", HelpName = "folder" };
    private readonly Option<string?> _network = new("--network") { Description = "wan is patient with home connections; lan, the default, notices a dead node sooner.", HelpName = "lan|wan" };
    private readonly Option<string?> _configuration = new("--config") { Description = "A file with HOCON settings; hocon/node.conf and hocon/trust.conf list them.", HelpName = "file" };
    private readonly Option<string?> _ledgerDatabase = new("--ledger-db")
    {
        Description = "PostgreSQL for the ledger, so that there can be more than one ledger node: a connection string, or @ and a file with one, which keeps its password off the command line; or set EFEDLLM__LEDGER__DATABASE. Default: a SQLite file in --data.",
        HelpName = "Host=...;Database=...|@file",
    };

    private readonly Option<int?> _repair = new Option<int?>("--repair-timeout") { Description = "Seconds that an answer which lost a device waits until others hold its layers. Default: 60.", HelpName = "s" }.Between(1, 86_400);

    /// <summary>Creates the options and adds them to a command.</summary>
    public NodeOptionsReader(Command command)
    {
        _network.AcceptOnlyFromAmong("lan", "wan");
        foreach (var option in new Option[] { _host, _port, _memory, _threads, _certificate, _network, _configuration, _ledgerDatabase, _repair })
        {
            command.Add(option);
        }
    }

    /// <summary>Address to listen on.</summary>
    public string Host(ParseResult parse) => parse.GetRequiredValue(_host);

    /// <summary>Address to listen on, or null where none was named.</summary>
    public string? NamedHost(ParseResult parse) => parse.GetResult(_host) is { Implicit: false } ? parse.GetValue(_host) : null;

    /// <summary>Port to listen on; 0 is any free one.</summary>
    public int Port(ParseResult parse) => parse.GetValue(_port) ?? 0;

    /// <summary>Memory of a device, or null.</summary>
    /// <exception cref="UserErrorException">It is no amount of memory.</exception>
    public long? Memory(ParseResult parse) => parse.GetValue(_memory) is { } text ? ByteSize.Parse(text, _memory.Name) : null;

    /// <summary>Compute threads of a device, or null.</summary>
    public int? Threads(ParseResult parse) => parse.GetValue(_threads);

    /// <summary>How long an answer that lost a device waits for others, or null.</summary>
    public TimeSpan? RepairTimeout(ParseResult parse) => parse.GetValue(_repair) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>The certificate's folder, or null.</summary>
    public string? Certificate(ParseResult parse) => parse.GetValue(_certificate) is { } folder ? Path.GetFullPath(folder) : null;

    /// <summary>What kind of network.</summary>
    public NetworkProfile Network(ParseResult parse) => parse.GetValue(_network) == "wan" ? NetworkProfile.Wan : NetworkProfile.Lan;

    /// <summary>The user's settings file, or null.</summary>
    public string? Configuration(ParseResult parse) => parse.GetValue(_configuration) is { } file ? Path.GetFullPath(file) : null;

    /// <summary>Where a ledger node keeps its entries, or null.</summary>
    public string? LedgerDatabase(ParseResult parse) => parse.GetValue(_ledgerDatabase) switch
    {
        // The nodes may be other processes in other folders.
        ['@', .. var file] => $"@{Path.GetFullPath(file)}",
        var named => named,
    };
}
