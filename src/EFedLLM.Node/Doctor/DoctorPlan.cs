using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Doctor;

/// <summary>What the node would be that is looked after.</summary>
internal sealed record DoctorPlan
{
    /// <summary>Address it would listen on for the cluster.</summary>
    public required string Host { get; init; }

    /// <summary>Host under which others reach it, or null for <see cref="Host"/>.</summary>
    public string? PublicHost { get; init; }

    /// <summary>Port it would listen on; 0 is any free one.</summary>
    public int Port { get; init; }

    /// <summary>Port of an HTTP interface, or null for none.</summary>
    public int? HttpPort { get; init; }

    /// <summary>Bytes it would give to weights and caches.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Its compute threads.</summary>
    public required int Threads { get; init; }

    /// <summary>Its data folder.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Folder of its certificate, or null.</summary>
    public string? CertificateFolder { get; init; }

    /// <summary>Whether it would use the settings for wide networks.</summary>
    public bool Wide { get; init; }

    /// <summary>Nodes that it would join.</summary>
    public IReadOnlyList<HostPort> Seeds { get; init; } = [];

    /// <summary>A gateway whose clock this machine's is compared with, or null.</summary>
    public Uri? Gateway { get; init; }
}
