namespace EFedLLM.Transformer.Sampling;

/// <summary>How a token is drawn from logits. With equal logits and settings the draw is the same everywhere: the random number is a function of seed and position.</summary>
public sealed record SamplingSettings
{
    /// <summary>Greedy decoding.</summary>
    public static SamplingSettings Greedy { get; } = new();

    /// <summary>0 takes the most likely token (lowest id on a tie); otherwise logits are divided by it. 0 to 2.</summary>
    public float Temperature { get; init; }

    /// <summary>Only the most likely tokens whose probabilities add up to this are drawn from. Above 0, at most 1.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Only so many of the most likely tokens are drawn from; 0 is all.</summary>
    public int TopK { get; init; }

    /// <summary>Seeds the draw.</summary>
    public ulong Seed { get; init; }

    /// <summary>How many of the most likely tokens are reported with each token, 0 to 20.</summary>
    public int TopLogprobs { get; init; }
}
