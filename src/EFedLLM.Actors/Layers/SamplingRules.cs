using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Layers;

/// <summary>Which sampling settings a sampler can carry out.</summary>
internal static class SamplingRules
{
    /// <summary>What is wrong with <paramref name="settings"/>, for people; null when nothing is.</summary>
    public static string? Problem(SamplingSettings settings) => settings switch
    {
        { Temperature: not (>= 0 and <= 2) } => $"temperature is {settings.Temperature}; it must be 0 to 2.",
        { TopP: not (> 0 and <= 1) } => $"top_p is {settings.TopP}; it must be above 0 and at most 1.",
        { TopK: < 0 } => $"top_k is {settings.TopK}; it must be 0 (all) or more.",
        { TopLogprobs: < 0 or > ProtocolLimits.TopLogprobs } => $"top_logprobs is {settings.TopLogprobs}; it must be 0 to {ProtocolLimits.TopLogprobs}.",
        _ => null,
    };
}
