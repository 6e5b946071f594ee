using System.Collections.Immutable;

namespace EFedLLM.Actors.Configuration;

/// <summary>What decides how a node's actor system is set up, as the command line gives it. It comes before environment and files.</summary>
public sealed record NodeSettings
{
    /// <summary>Address or host name that the node listens on, and under which others reach it unless <see cref="PublicHost"/> says otherwise.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port that the node listens on; 0 is any free one.</summary>
    public int Port { get; init; }

    /// <summary>Host under which others reach the node (behind an address translation), or null for <see cref="Host"/>. Needed when that is a wildcard such as 0.0.0.0.</summary>
    public string? PublicHost { get; init; }

    /// <summary>What the node does: names of <see cref="ClusterNames.Roles"/>, at least one.</summary>
    public required ImmutableArray<string> Roles { get; init; }

    /// <summary>Anchors to join, each <c>host:port</c>. Empty is possible for an anchor alone, which then founds a cluster by joining itself.</summary>
    public ImmutableArray<string> Seeds { get; init; } = [];

    /// <summary>Folder for the node's key and ledger.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Folder with the node's certificate, its key and the authority's certificate as <c>efedllm cert</c> writes them, or null for no TLS.</summary>
    public string? CertificateFolder { get; init; }

    /// <summary>What kind of network the nodes share.</summary>
    public NetworkProfile Profile { get; init; }

    /// <summary>A HOCON file of the user's, or null. It may set anything below <c>akka</c> and <c>efedllm</c>.</summary>
    public string? ConfigurationFile { get; init; }

    /// <summary>Memory given to weights and caches in bytes, or null for what the configuration says.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Compute threads, or null for what the configuration says.</summary>
    public int? Threads { get; init; }

    /// <summary>How long an answer that lost a device waits for others, or null for what the configuration says.</summary>
    public TimeSpan? RepairTimeout { get; init; }

    /// <summary>Whether its gateway checks what devices compute, or null for what the configuration says.</summary>
    public bool? Trust { get; init; }

    /// <summary>Where a ledger node keeps its entries, as <see cref="Configuration.LedgerDatabase.Of"/> reads it, or null for what the configuration says. It may hold a password.</summary>
    public string? LedgerDatabase { get; init; }

    /// <summary>A role beside <see cref="Roles"/> that tells other nodes which ledger this node keeps; null where it keeps none. <c>LedgerStore.OpenAsync</c> finds it.</summary>
    public string? LedgerRole { get; init; }

    /// <summary>The settings without their secrets.</summary>
    public override string ToString() => $"{string.Join(", ", Roles)} at {Host}:{Port} in {DataFolder}";
}
