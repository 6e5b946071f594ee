namespace EFedLLM.Node.Local;

/// <summary>How a model runs in this process.</summary>
internal sealed record LocalSettings
{
    /// <summary>A checkpoint (a folder or a GGUF file) or a factored model; null is the bundled model.</summary>
    public string? ModelFolder { get; init; }

    /// <summary>Runs a checkpoint as it is, in float32.</summary>
    public bool Float32 { get; init; }

    /// <summary>The chat template's name; null is the model folder's own.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Memory for weights and caches, divided between them as a device divides it; null is as much as they need.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Compute threads.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Most prompt tokens in one step; the answer is the same.</summary>
    public int Chunk { get; init; } = 256;
}
