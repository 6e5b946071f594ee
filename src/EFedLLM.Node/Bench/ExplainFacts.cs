namespace EFedLLM.Node.Bench;

/// <summary>Why a model runs as fast as it does here.</summary>
internal sealed record ExplainFacts
{
    /// <summary>What the processor is called.</summary>
    public required string Processor { get; init; }

    /// <summary>Processors that this process may use.</summary>
    public required int Processors { get; init; }

    /// <summary>Bytes of the caches, the first level first; 0 where there is none.</summary>
    public required IReadOnlyList<long> CacheBytes { get; init; }

    /// <summary>Whether the system told these; else they are assumed.</summary>
    public required bool CachesAreRead { get; init; }

    /// <summary>Bytes per second that threads read which do nothing else, as measured.</summary>
    public required IReadOnlyList<BandwidthFacts> Bandwidths { get; init; }

    /// <summary>Bits of a register of the integer kernels; 0 is none.</summary>
    public required int DotBits { get; init; }

    /// <summary>Bits of a register of the float kernels.</summary>
    public required int FloatBits { get; init; }

    /// <summary>The instructions for each number of bits that the model's weights have.</summary>
    public required IReadOnlyList<InstructionFacts> Instructions { get; init; }

    /// <summary>Rows and tokens of a tile while one token is computed.</summary>
    public required TileFacts DecodeTile { get; init; }

    /// <summary>Rows and tokens of a tile while a prompt is read.</summary>
    public required TileFacts PrefillTile { get; init; }

    /// <summary>Largest tile that is fetched ahead as a whole, in bytes.</summary>
    public required long NearBytes { get; init; }

    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    /// <summary>Bits per weight that computing a token reads, with everything in.</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>The matrices of a layer and of the head.</summary>
    public required IReadOnlyList<MatrixFacts> Matrices { get; init; }

    /// <summary>Bytes of weights that a token reads.</summary>
    public required Traffic Token { get; init; }

    /// <summary>Bytes of keys and values that a token reads for each position before it.</summary>
    public required long CacheBytesPerPosition { get; init; }

    /// <summary>Tokens of the prompt.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Bytes that move while it is read.</summary>
    public required Traffic Prompt { get; init; }

    /// <summary>No program decodes more tokens per second with so many threads, by the bandwidth and the lower bound.</summary>
    public double Ceiling(BandwidthFacts bandwidth) => bandwidth.BytesPerSecond / Token.LowerBound;
}
