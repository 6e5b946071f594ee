using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The weights of one encoder layer: each block's output is added to its input, and the sum is normed.</summary>
public sealed class EncoderLayerWeights
{
    /// <summary>Query projection, hidden to hidden.</summary>
    public required LinearLayer Query { get; init; }

    /// <summary>Key projection, hidden to hidden.</summary>
    public required LinearLayer Key { get; init; }

    /// <summary>Value projection, hidden to hidden.</summary>
    public required LinearLayer Value { get; init; }

    /// <summary>Attention output projection, hidden to hidden.</summary>
    public required LinearLayer AttentionOutput { get; init; }

    /// <summary>The norm behind attention.</summary>
    public required LayerNormWeights AttentionNorm { get; init; }

    /// <summary>First projection of the feed-forward block, hidden to intermediate.</summary>
    public required LinearLayer Intermediate { get; init; }

    /// <summary>Second projection of the feed-forward block, intermediate to hidden.</summary>
    public required LinearLayer Output { get; init; }

    /// <summary>The norm behind the feed-forward block.</summary>
    public required LayerNormWeights OutputNorm { get; init; }
}
