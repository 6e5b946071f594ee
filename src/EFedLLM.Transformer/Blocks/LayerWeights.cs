using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The weights of one transformer layer. Norm gains are float32 vectors of the width they scale.</summary>
public sealed class LayerWeights
{
    /// <summary>Gain of the norm before attention, [hidden].</summary>
    public required float[] InputNorm { get; init; }

    /// <summary>Query projection, hidden to heads * head size.</summary>
    public required LinearLayer Query { get; init; }

    /// <summary>Key projection, hidden to key/value heads * head size.</summary>
    public required LinearLayer Key { get; init; }

    /// <summary>Value projection, hidden to key/value heads * head size.</summary>
    public required LinearLayer Value { get; init; }

    /// <summary>Attention output projection, heads * head size to hidden.</summary>
    public required LinearLayer Output { get; init; }

    /// <summary>Per-head gain of the query norm, [head size], or null.</summary>
    public float[]? QueryNorm { get; init; }

    /// <summary>Per-head gain of the key norm, [head size], or null.</summary>
    public float[]? KeyNorm { get; init; }

    /// <summary>Gain of the norm before the feed-forward block, [hidden].</summary>
    public required float[] PostAttentionNorm { get; init; }

    /// <summary>Gate projection, hidden to intermediate.</summary>
    public required LinearLayer Gate { get; init; }

    /// <summary>Up projection, hidden to intermediate.</summary>
    public required LinearLayer Up { get; init; }

    /// <summary>Down projection, intermediate to hidden.</summary>
    public required LinearLayer Down { get; init; }
}
