namespace EFedLLM.Compression;

/// <summary>What to make of a checkpoint. Everything but <see cref="Threads"/> is part of what the result is.</summary>
public sealed record CompressionSettings
{
    /// <summary>How matrices are compressed.</summary>
    public CompressionProfile Profile { get; init; } = CompressionProfile.Int8;

    /// <summary>The share of a factored matrix's parameters that is kept, above 0 and at most 1; used by <see cref="CompressionProfile.Svd"/> alone.</summary>
    public double Keep { get; init; } = 0.4;

    /// <summary>
    /// Inputs that share a scale, 32 or 64. A scale takes 16 bits, so 64 saves a quarter of a bit per weight, but the
    /// smallest models need 32 to stay within half a percent of the float perplexity on texts they do not know: over 29
    /// spans of 4096 tokens, the four models of 0.3 to 3 million weights that the tests use lose 0.43 % at most in
    /// groups of 32, and up to 0.80 % in groups of 64.
    /// </summary>
    public int Group { get; init; } = 32;

    /// <summary>Bits per weight all-in that the result has at most (<see cref="Transformer.Checkpoints.ModelManifest.ReadBitsPerWeight"/>); used by <see cref="CompressionProfile.Calibrated"/> alone, as are the following.</summary>
    public double TargetBits { get; init; } = 6.4;

    /// <summary>Bytes that the weight files have at most, in place of <see cref="TargetBits"/>; or null.</summary>
    public long? TargetSize { get; init; }

    /// <summary>The largest loss of perplexity, as a share, measured on a part of the calibration text that is held out, in place of the other targets: the fewest bits that keep it are looked for. Or null.</summary>
    public double? MaxLoss { get; init; }

    /// <summary>Whether matrices may get low-rank branches, where those save more than their bytes would elsewhere.</summary>
    public bool LowRank { get; init; } = true;

    /// <summary>The text to calibrate on, or null for the built-in one.</summary>
    public string? CalibrationText { get; init; }

    /// <summary>The token before each chunk of the calibration text, or null for the model's begin token, else its first end token, else token 0.</summary>
    public int? StartToken { get; init; }

    /// <summary>The name that the manifest bears, or null for that of the checkpoint's folder.</summary>
    public string? Name { get; init; }

    /// <summary>Threads that may take part, at least 1. The result is the same for any number.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>The profile as the manifest and the command line name it: <c>int8</c>, <c>svd</c> or <c>calibrated</c>.</summary>
    public string ProfileName => Profile switch
    {
        CompressionProfile.Svd => "svd",
        CompressionProfile.Calibrated => "calibrated",
        _ => "int8",
    };

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentException">One is out of its bounds; the message names it.</exception>
    public void Check()
    {
        Require(Enum.IsDefined(Profile), nameof(Profile), "is unknown: calibrated, int8 and svd are there");
        Require(Keep is > 0 and <= 1, nameof(Keep), $"is {Keep}: it is a share, above 0 and at most 1");
        Require(Group is 32 or 64, nameof(Group), $"is {Group}: groups of 32 and of 64 are there");
        Require(TargetBits is > 0 and <= 16, nameof(TargetBits), $"is {TargetBits}: it is a number of bits, above 0 and at most 16");
        Require(TargetSize is null or > 0, nameof(TargetSize), $"is {TargetSize}: it is a number of bytes");
        Require(MaxLoss is null or > 0 and < 1, nameof(MaxLoss), $"is {MaxLoss}: it is a share, above 0 and below 1");
        Require(StartToken is null or >= 0, nameof(StartToken), $"is {StartToken}: it is a token id");
        Require(Threads >= 1, nameof(Threads), $"is {Threads}: at least one thread is needed");
    }

    private static void Require(bool condition, string name, string problem)
    {
        if (!condition)
        {
            throw new ArgumentException($"{name} {problem}.", name);
        }
    }
}
