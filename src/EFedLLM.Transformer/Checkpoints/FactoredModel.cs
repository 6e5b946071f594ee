using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A factored model folder, opened read-only. Weight files are memory-mapped when first used.</summary>
public sealed class FactoredModel : IModelSource
{
    private FactoredModel(string folder, ModelManifest manifest, ModelId id) => (Folder, Manifest, Id) = (folder, manifest, id);

    /// <summary>The manifest.</summary>
    public ModelManifest Manifest { get; }

    /// <inheritdoc/>
    public ModelId Id { get; }

    /// <inheritdoc/>
    public ModelShape Shape => Manifest.Shape;

    /// <inheritdoc/>
    public string Folder { get; }

    /// <summary>Whether a folder holds a factored model (has a <c>manifest.json</c>).</summary>
    public static bool IsFactored(string folder) => File.Exists(Path.Combine(folder, "manifest.json"));

    /// <summary>Opens a folder and checks its manifest and file lengths.</summary>
    /// <exception cref="InvalidDataException">The manifest or a file is malformed; the message says what and what to do.</exception>
    public static FactoredModel Open(string folder) => throw new NotSupportedException();

    /// <summary>Checks one unit's file against its SHA-256.</summary>
    /// <exception cref="InvalidDataException">It differs.</exception>
    public void Verify(int unit) => throw new NotSupportedException();

    /// <inheritdoc/>
    public long UnitBytes(int unit) => Manifest.Files[unit].Bytes;

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
