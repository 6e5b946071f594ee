using EFedLLM.Actors.Configuration;

namespace EFedLLM.Node.Supervision;

/// <summary>A cluster of child processes on this machine.</summary>
internal sealed record ClusterSettings
{
    /// <summary>Folder of the factored model.</summary>
    public required string ModelFolder { get; init; }

    /// <summary>Folder for all nodes' data.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Number of devices.</summary>
    public int Devices { get; init; } = 3;

    /// <summary>Compute threads of each device; null is what the configuration says, and where that says nothing the machine's processors are shared out.</summary>
    public int? Threads { get; init; }

    /// <summary>Memory that each device gives; null is what the configuration says.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>How long an answer that lost a device waits for others; null is what the configuration says.</summary>
    public TimeSpan? RepairTimeout { get; init; }

    /// <summary>Address that the nodes listen on for the cluster.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port that further devices join; 0 is any free one.</summary>
    public int Port { get; init; }

    /// <summary>Port of the HTTP interface; 0 is any free one.</summary>
    public int HttpPort { get; init; }

    /// <summary>Address of the HTTP interface.</summary>
    public string HttpHost { get; init; } = "127.0.0.1";

    /// <summary>The chat template's name; null is the model folder's own.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Folder with the certificate of all these nodes; null is no TLS.</summary>
    public string? CertificateFolder { get; init; }

    /// <summary>Folder of the cluster's authority; null where it neither invites nor evicts. Without a <see cref="CertificateFolder"/>, each node gets a certificate of its own from it.</summary>
    public string? AuthorityFolder { get; init; }

    /// <summary>Port on which invited devices enrol; 0 is any free one.</summary>
    public int EnrolPort { get; init; }

    /// <summary>What kind of network further devices are on.</summary>
    public NetworkProfile Profile { get; init; }

    /// <summary>A HOCON file of the user's, or null.</summary>
    public string? ConfigurationFile { get; init; }

    /// <summary>Where the ledger keeps its entries, or null for what the configuration says. It may hold a password.</summary>
    public string? LedgerDatabase { get; init; }

    /// <summary>Whether the gateway checks what devices compute.</summary>
    public bool Trust { get; init; }

    /// <summary>Whether the devices are gateways as well, which can be asked what they counted.</summary>
    public bool DeviceGateways { get; init; }

    /// <summary>Nodes that are gateways and nothing else, beside the first one.</summary>
    public IReadOnlyList<FurtherGateway> Gateways { get; init; } = [];

    /// <summary>What devices do wrong on purpose, by their number from 1.</summary>
    public IReadOnlyDictionary<int, string> Saboteurs { get; init; } = new Dictionary<int, string>();

    /// <summary>Whether the nodes' logs are shown.</summary>
    public bool Verbose { get; init; }

    /// <summary>Its folder alone: the rest may hold a password.</summary>
    public override string ToString() => DataFolder;
}
