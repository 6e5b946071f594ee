using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>A model of which one unit is there, so that a shard can compute it alone.</summary>
internal sealed class SingleUnit(ModelShape shape, LayerWeights? layer, HeadWeights? head) : IModelSource
{
    public ModelId Id => throw new NotSupportedException("A single unit is no model.");

    public ModelShape Shape => shape;

    public string Folder => throw new NotSupportedException("A single unit has no folder.");

    public long UnitBytes(int unit) => throw new NotSupportedException("A single unit has no files.");

    public IEmbedding LoadEmbedding() => throw new NotSupportedException("This unit is not the embedding.");

    public LayerWeights LoadLayer(int layerIndex) => layer ?? throw new NotSupportedException("This unit is not a layer.");

    public HeadWeights LoadHead() => head ?? throw new NotSupportedException("This unit is not the head.");

    public void Dispose()
    {
    }
}
