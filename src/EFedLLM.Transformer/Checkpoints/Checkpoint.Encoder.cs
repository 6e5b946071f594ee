using System.Collections.Immutable;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

public sealed partial class Checkpoint : IEncoderSource
{
    /// <inheritdoc/>
    public EncoderEmbeddingWeights LoadEncoderEmbedding()
    {
        var sites = EncoderSites(0);
        return EncoderLoading.Embedding(Shape, Table, name => EncoderVector(0, name));

        IEmbedding Table(int index) => new DenseEmbedding(sites[index].Outputs, sites[index].Inputs, EncoderMatrix(0, sites[index]));
    }

    /// <inheritdoc/>
    public EncoderLayerWeights LoadEncoderLayer(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, Shape.Layers);
        var sites = EncoderSites(layer + 1);
        return EncoderLoading.Layer(Shape, index => EncoderLinear(layer + 1, sites[index]), name => EncoderVector(layer + 1, name));
    }

    /// <inheritdoc/>
    public EncoderHeadWeights LoadEncoderHead()
    {
        var unit = Shape.Layers + 1;
        var sites = EncoderSites(unit);
        return EncoderLoading.Head(Shape, index => EncoderLinear(unit, sites[index]));
    }

    private ImmutableArray<ManifestSite> EncoderSites(int unit) => Shape.Encoder is not null
        ? EncoderLayout.Sites(Shape, unit)
        : throw new InvalidOperationException($"{Shape.Architecture} is no encoder.");

    private float[] EncoderMatrix(int unit, ManifestSite site) => Read(EncoderLayout.TensorOf(Shape, unit, site.Name + ".weight"), site.Outputs, site.Inputs);

    private float[] EncoderVector(int unit, string name) => Read(EncoderLayout.TensorOf(Shape, unit, name), Shape.HiddenSize);

    private CheckpointLinear EncoderLinear(int unit, ManifestSite site) =>
        new(site.Inputs, site.Outputs, EncoderMatrix(unit, site), Read(EncoderLayout.TensorOf(Shape, unit, site.Name + ".bias"), site.Outputs));

    /// <summary>The name that this checkpoint has for a tensor.</summary>
    private string Spelling(string tensor) => Shape.Encoder is null || _files.Contains(tensor) ? tensor
        : EncoderLayout.Bare(tensor) is var bare && _files.Contains(bare) ? bare
        : tensor;
}
