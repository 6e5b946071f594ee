using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A Hugging Face checkpoint folder: <c>config.json</c> and safetensors, memory-mapped. As a model source it computes in float32.</summary>
public sealed class Checkpoint : IModelSource
{
    private Checkpoint(string folder, ModelShape shape) => (Folder, Shape) = (folder, shape);

    /// <summary>SHA-256 over <c>config.json</c> and the tensors' bytes: identifies the checkpoint as a source.</summary>
    public ModelId Id => throw new NotSupportedException();

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public string Folder { get; }

    /// <summary>Number of parameters, a tied head counted once.</summary>
    public long Parameters => throw new NotSupportedException();

    /// <summary>Opens a folder.</summary>
    /// <exception cref="InvalidDataException">A file is malformed; the message says which and what to do.</exception>
    /// <exception cref="NotSupportedException">The architecture or a setting is not supported; the message names it.</exception>
    public static Checkpoint Open(string folder) => throw new NotSupportedException();

    /// <summary>Whether the checkpoint has a tensor of that name.</summary>
    public bool Contains(string tensor) => throw new NotSupportedException();

    /// <summary>Reads a tensor as float32, checking its shape (outermost first).</summary>
    /// <exception cref="InvalidDataException">It is missing or shaped differently.</exception>
    public float[] Read(string tensor, params ReadOnlySpan<int> shape) => throw new NotSupportedException();

    /// <inheritdoc/>
    public long UnitBytes(int unit) => throw new NotSupportedException();

    /// <inheritdoc/>
    public IEmbedding LoadEmbedding() => throw new NotSupportedException();

    /// <inheritdoc/>
    public LayerWeights LoadLayer(int layer) => throw new NotSupportedException();

    /// <inheritdoc/>
    public HeadWeights LoadHead() => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
