using EFedLLM.Node.Local;

namespace EFedLLM.Node.Bench;

/// <summary>How long and how often is measured.</summary>
internal sealed record BenchSettings
{
    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; init; } = 128;

    /// <summary>Tokens generated.</summary>
    public int DecodeTokens { get; init; } = 64;

    /// <summary>Prompt tokens computed in one step.</summary>
    public int Chunk { get; init; } = 512;

    /// <summary>Sessions that generate at once in this process, measured in turn with one where there are several.</summary>
    public int Sessions { get; init; } = 1;

    /// <summary>Repetitions that count; one more goes before them.</summary>
    public int Repetitions { get; init; } = 5;

    /// <summary>Memory for weights and caches of each process, or null for as much as they need.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>The part of it that is for weights.</summary>
    public long WeightBytes => DeviceMemory.ForWeights(MemoryBytes);

    /// <summary>Steps in which the prompt is read.</summary>
    public int PromptSteps => (PromptTokens + Chunk - 1) / Chunk;

    /// <summary>The prompt: ids spread over the vocabulary, the same each time.</summary>
    public int[] Prompt(int vocabulary) => [.. Enumerable.Range(0, PromptTokens).Select(index => index * 7 % vocabulary)];
}
