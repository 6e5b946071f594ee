using EFedLLM.Actors.Configuration;

namespace EFedLLM.Node.Hosting;

/// <summary>Everything that decides what one node is and does.</summary>
internal sealed record NodeOptions
{
    /// <summary>Its name for people.</summary>
    public required string Name { get; init; }

    /// <summary>What it does; names of <see cref="NodeRoles"/>.</summary>
    public required IReadOnlyList<string> Roles { get; init; }

    /// <summary>Folder for its key, ledger and log; only one process may use it at a time.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Address it listens on for the cluster.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Host under which others reach it, or null for <see cref="Host"/>.</summary>
    public string? PublicHost { get; init; }

    /// <summary>Port it listens on for the cluster; 0 is any free one.</summary>
    public int Port { get; init; }

    /// <summary>Addresses of anchors, <c>host:port</c>; empty is only possible for an anchor, which then founds a cluster.</summary>
    public IReadOnlyList<string> Seeds { get; init; } = [];

    /// <summary>Folders of the factored models that it has or answers for.</summary>
    public IReadOnlyList<string> ModelFolders { get; init; } = [];

    /// <summary>The chat template's name; null is each model folder's own.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Memory it gives to weights and caches; null is what the configuration says.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Compute threads of a device; null is what the configuration says.</summary>
    public int? Threads { get; init; }

    /// <summary>How long an answer that lost a device waits for others; null is what the configuration says.</summary>
    public TimeSpan? RepairTimeout { get; init; }

    /// <summary>How many devices the first placement waits for, so that a cluster that starts is planned once and not once a device.</summary>
    public int ExpectedDevices { get; init; } = 1;

    /// <summary>Address of the HTTP interface.</summary>
    public string HttpHost { get; init; } = "127.0.0.1";

    /// <summary>Port of the HTTP interface; 0 is any free one, null is none.</summary>
    public int? HttpPort { get; init; }

    /// <summary>Folder with this node's certificate and key and the authority's certificate; null is no TLS.</summary>
    public string? CertificateFolder { get; init; }

    /// <summary>Folder of the cluster's authority, with its key; null where the node neither invites nor evicts.</summary>
    public string? AuthorityFolder { get; init; }

    /// <summary>Port on which invited devices enrol; 0 is any free one.</summary>
    public int EnrolPort { get; init; }

    /// <summary>What kind of network the nodes share.</summary>
    public NetworkProfile Profile { get; init; }

    /// <summary>A HOCON file of the user's, or null.</summary>
    public string? ConfigurationFile { get; init; }

    /// <summary>Where a ledger node keeps its entries, or null for what the configuration says. It may hold a password.</summary>
    public string? LedgerDatabase { get; init; }

    /// <summary>What a device does wrong on purpose (<c>behaviour</c> or <c>behaviour:rate</c>), or null for an honest one.</summary>
    public string? Saboteur { get; init; }

    /// <summary>Whether it is a child of another process of this program, and ends with it.</summary>
    public bool Supervised { get; init; }

    /// <summary>Whether its log goes to standard error too.</summary>
    public bool Verbose { get; init; }

    /// <summary>Whether it does that.</summary>
    public bool Has(string role) => Roles.Contains(role, StringComparer.Ordinal);

    /// <summary>Its name alone: the rest may hold a password.</summary>
    public override string ToString() => Name;

    /// <summary>What the actor system is set up from.</summary>
    public NodeSettings ToSettings() => new()
    {
        Host = Host,
        PublicHost = PublicHost,
        Port = Port,
        Roles = [.. Roles],
        Seeds = [.. Seeds],
        DataFolder = DataFolder,
        CertificateFolder = CertificateFolder,
        Profile = Profile,
        ConfigurationFile = ConfigurationFile,
        MemoryBytes = MemoryBytes,
        Threads = Threads,
        RepairTimeout = RepairTimeout,
        LedgerDatabase = LedgerDatabase,
    };
}
