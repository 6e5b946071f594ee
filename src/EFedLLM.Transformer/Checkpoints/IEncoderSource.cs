using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Where the weights of an encoder come from: a source whose <see cref="ModelShape.Encoder"/> is set gives them here, and its layers not as a decoder's.</summary>
public interface IEncoderSource : IModelSource
{
    /// <summary>Loads the embedding (unit 0).</summary>
    EncoderEmbeddingWeights LoadEncoderEmbedding();

    /// <summary>Loads encoder layer <paramref name="layer"/> (0-based; unit <paramref name="layer"/> + 1).</summary>
    EncoderLayerWeights LoadEncoderLayer(int layer);

    /// <summary>Loads the pooler and the classifier (the last unit).</summary>
    EncoderHeadWeights LoadEncoderHead();
}
