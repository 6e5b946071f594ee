using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// Where a shard's weights come from: a factored model (the served form) or a checkpoint read as float32 (the
/// reference). Weights are mapped or read on demand, so a device touches only the units of its own range.
/// Disposing the source invalidates every weight loaded from it.
/// </summary>
public interface IModelSource : IDisposable
{
    /// <summary>The model's identity.</summary>
    ModelId Id { get; }

    /// <summary>The model's hyper-parameters.</summary>
    ModelShape Shape { get; }

    /// <summary>The folder with the tokenizer's files, or the GGUF file that has them in it (see <see cref="CompanionFiles"/>).</summary>
    string Folder { get; }

    /// <summary>Bytes of weights of one unit (see <see cref="LayerRange"/>), everything included.</summary>
    long UnitBytes(int unit);

    /// <summary>Loads the token embedding (unit 0).</summary>
    IEmbedding LoadEmbedding();

    /// <summary>Loads transformer layer <paramref name="layer"/> (0-based; unit <paramref name="layer"/> + 1).</summary>
    LayerWeights LoadLayer(int layer);

    /// <summary>Loads the final norm and the output projection (the last unit).</summary>
    HeadWeights LoadHead();

    /// <summary>
    /// Takes back what one loading of a unit gave, which must not be used any more: the memory of a unit that nobody else has loaded is free
    /// then. A source that holds no memory does nothing.
    /// </summary>
    /// <param name="unit">The unit.</param>
    void Unload(int unit)
    {
    }
}
