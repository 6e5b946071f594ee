using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>A model under the id that the sessions of the tests have.</summary>
internal sealed class NamedSource(IModelSource source, ModelId id) : IModelSource
{
    public ModelId Id => id;

    public ModelShape Shape => source.Shape;

    public string Folder => source.Folder;

    public long UnitBytes(int unit) => source.UnitBytes(unit);

    public IEmbedding LoadEmbedding() => source.LoadEmbedding();

    public LayerWeights LoadLayer(int layer) => source.LoadLayer(layer);

    public HeadWeights LoadHead() => source.LoadHead();

    public void Dispose()
    {
        // The model is somebody else's.
    }
}
