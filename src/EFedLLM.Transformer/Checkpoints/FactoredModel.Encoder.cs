using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Transformer.Checkpoints;

public sealed partial class FactoredModel : IEncoderSource
{
    /// <inheritdoc/>
    public EncoderEmbeddingWeights LoadEncoderEmbedding()
    {
        CheckEncoder();
        return Load(0, unit => EncoderLoading.Embedding(Shape, index => unit.Table(Manifest.MatricesOf(0)[index]), unit.Vector));
    }

    /// <inheritdoc/>
    public EncoderLayerWeights LoadEncoderLayer(int layer)
    {
        CheckEncoder();
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, Shape.Layers);
        return Load(layer + 1, unit =>
        {
            var matrices = Matrices(unit, layer + 1);
            return EncoderLoading.Layer(Shape, index => matrices[index], unit.Vector);
        });
    }

    /// <inheritdoc/>
    public EncoderHeadWeights LoadEncoderHead()
    {
        CheckEncoder();
        var last = Shape.Layers + 1;
        return Load(last, unit =>
        {
            var matrices = Matrices(unit, last);
            return EncoderLoading.Head(Shape, index => matrices[index]);
        });
    }

    private void CheckEncoder()
    {
        if (Shape.Encoder is null)
        {
            throw new InvalidOperationException($"{Shape.Architecture} is no encoder.");
        }
    }
}
