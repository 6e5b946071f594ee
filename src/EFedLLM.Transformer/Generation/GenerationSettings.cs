using System.Collections.Immutable;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Transformer.Generation;

/// <summary>How a generation runs and when it ends.</summary>
public sealed record GenerationSettings
{
    /// <summary>How tokens are drawn.</summary>
    public SamplingSettings Sampling { get; init; } = SamplingSettings.Greedy;

    /// <summary>Most tokens to generate, at least 1.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Texts at which the generation ends; the text itself is not part of the answer. At most 16, each 1 to 256 characters.</summary>
    public ImmutableArray<string> Stop { get; init; } = [];

    /// <summary>Goes on after an end token, until <see cref="MaxTokens"/>.</summary>
    public bool IgnoreEndTokens { get; init; }
}
