namespace EFedLLM.Node.Doctor;

/// <summary>What was measured of this machine.</summary>
internal sealed record MachineFacts
{
    /// <summary>Version of .NET that runs this program.</summary>
    public required Version Runtime { get; init; }

    /// <summary>The machine's architecture, for example X64.</summary>
    public required string Architecture { get; init; }

    /// <summary>Processors that this process may use.</summary>
    public required int Processors { get; init; }

    /// <summary>Width of the vectors that the kernels compute with, in bits; 0 is none.</summary>
    public required int VectorBits { get; init; }

    /// <summary>Memory that is free for this process, in bytes; null where the system does not say.</summary>
    public required long? FreeMemoryBytes { get; init; }

    /// <summary>Linux's setting for transparent huge pages: always, madvise or never; null elsewhere.</summary>
    public required string? HugePages { get; init; }

    /// <summary>Most files and connections that this process may have open; null where the system does not say.</summary>
    public required long? OpenFiles { get; init; }
}
