using System.Security.Cryptography;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// A factored model folder, opened read-only. A unit's weight file is read into memory when first used, so a folder may lack
/// those of units that are not; one that does not fit into memory is mapped, or streamed for whoever asks for less memory
/// (<see cref="StreamPlan"/>). Thread-safe; disposing frees the weights once no
/// product that runs needs them any more, and later use of a weight throws <see cref="ObjectDisposedException"/>.
/// </summary>
public sealed partial class FactoredModel : IModelSource
{
    private readonly Lock _gate = new();
    private readonly FactoredUnit?[] _units;
    private readonly int[] _users;
    private readonly Func<WeightFile, string> _locate;
    private long _held;
    private bool _disposed;

    private FactoredModel(string folder, ModelManifest manifest, ModelId id, Func<WeightFile, string> locate)
    {
        (Folder, Manifest, Id, _locate) = (folder, manifest, id, locate);
        (_units, _users) = (new FactoredUnit?[manifest.Shape.Units], new int[manifest.Shape.Units]);
    }

    /// <summary>The manifest.</summary>
    public ModelManifest Manifest { get; }

    /// <inheritdoc/>
    public ModelId Id { get; }

    /// <inheritdoc/>
    public ModelShape Shape => Manifest.Shape;

    /// <inheritdoc/>
    public string Folder { get; }

    /// <summary>Whether a folder holds a factored model (has a <c>manifest.json</c>).</summary>
    public static bool IsFactored(string folder) => File.Exists(Path.Combine(folder, ModelManifest.FileName));

    /// <summary>Opens a folder and checks its manifest, and the lengths of the files that are there.</summary>
    /// <exception cref="FileNotFoundException">It has no manifest.</exception>
    /// <exception cref="InvalidDataException">The manifest or a file is malformed; the message says what and what to do.</exception>
    public static FactoredModel Open(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var path = Path.Combine(folder, ModelManifest.FileName);
        var json = ReadManifest(path);
        ModelManifest manifest;
        try
        {
            manifest = ModelManifest.Parse(json);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"\"{path}\" cannot be used. {error.Message}", error);
        }

        foreach (var (name, bytes) in manifest.Files.Select(file => (file.Name, file.Bytes)).Concat(manifest.Companions.Select(file => (file.Name, file.Bytes))))
        {
            var info = new FileInfo(Path.Combine(folder, name));
            if (info.Exists && info.Length != bytes)
            {
                throw WrongLength(info.FullName, info.Length, bytes);
            }
        }

        return new FactoredModel(folder, manifest, ModelManifest.IdOf(json), file => Path.Combine(folder, file.Name));
    }

    /// <summary>Opens a model whose weight files need not lie in one folder, nor be there yet. Nothing but the manifest is looked at.</summary>
    /// <param name="manifest">The bytes of its <c>manifest.json</c>.</param>
    /// <param name="folder">The folder of its tokenizer's files, or of none.</param>
    /// <param name="locate">Where a weight file lies, or would. Asked again whenever a file is opened; any thread may ask.</param>
    /// <exception cref="InvalidDataException">The manifest is malformed; the message names the field.</exception>
    public static FactoredModel Open(ReadOnlySpan<byte> manifest, string folder, Func<WeightFile, string> locate)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(locate);
        return new FactoredModel(folder, ModelManifest.Parse(manifest), ModelManifest.IdOf(manifest), locate);
    }

    /// <summary>Checks one unit's file against its SHA-256.</summary>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="InvalidDataException">It differs.</exception>
    public void Verify(int unit)
    {
        CheckUnit(unit);
        var file = Manifest.Files[unit];
        Verify(_locate(file), file.Bytes, file.Sha256);
    }

    /// <summary>Checks the tokenizer and generation files against their SHA-256.</summary>
    /// <exception cref="FileNotFoundException">One is not there.</exception>
    /// <exception cref="InvalidDataException">One differs.</exception>
    public void VerifyCompanions()
    {
        foreach (var file in Manifest.Companions)
        {
            Verify(Path.Combine(Folder, file.Name), file.Bytes, file.Sha256);
        }
    }

    /// <inheritdoc/>
    public long UnitBytes(int unit)
    {
        CheckUnit(unit);
        return Manifest.Files[unit].Bytes;
    }

    /// <inheritdoc/>
    /// <exception cref="FileNotFoundException">Its file is not there.</exception>
    /// <exception cref="InvalidDataException">Its file is malformed.</exception>
    public IEmbedding LoadEmbedding() => Load(0, unit => unit.Table(Manifest.MatricesOf(0)[0]));

    /// <inheritdoc/>
    /// <exception cref="FileNotFoundException">Its file is not there.</exception>
    /// <exception cref="InvalidDataException">Its file is malformed.</exception>
    public LayerWeights LoadLayer(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, Shape.Layers);
        return Load(layer + 1, unit => Layer(unit, layer));
    }

    /// <inheritdoc/>
    /// <exception cref="FileNotFoundException">Its file is not there.</exception>
    /// <exception cref="InvalidDataException">Its file is malformed.</exception>
    public HeadWeights LoadHead() => Load(Shape.Layers + 1, Head);

    /// <inheritdoc/>
    public void Unload(int unit)
    {
        CheckUnit(unit);
        lock (_gate)
        {
            if (_disposed || --_users[unit] > 0)
            {
                return;
            }

            _held -= _units[unit] is { IsInMemory: true } ? Manifest.Files[unit].Bytes : 0;
            _units[unit]?.Dispose();
            (_units[unit], _users[unit]) = (null, 0);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (var unit in _units)
            {
                unit?.Dispose();
            }

            Array.Clear(_units);
        }
    }

    private static byte[] ReadManifest(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"\"{path}\" is not there: this is no factored model. Make one with: efedllm compress.", path);
        }

        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (stream.Length > ManifestJson.MaximumBytes)
        {
            throw new InvalidDataException($"\"{path}\" has {stream.Length} bytes, but a manifest at most {ManifestJson.MaximumBytes}. Fetch the model again.");
        }

        var json = new byte[stream.Length];
        return json[..stream.ReadAtLeast(json, json.Length, throwOnEndOfStream: false)];
    }

    private static InvalidDataException WrongLength(string path, long length, long expected) =>
        new($"\"{path}\" has {length} bytes instead of {expected}: it is not the file of this model, or not all of it. Fetch it again.");

    private static void Verify(string path, long bytes, string sha256)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"\"{path}\" is not there. Fetch it.", path);
        }

        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
        if (stream.Length != bytes)
        {
            throw WrongLength(path, stream.Length, bytes);
        }

        if (Convert.ToHexStringLower(SHA256.HashData(stream)) != sha256)
        {
            throw new InvalidDataException($"\"{path}\" does not have the SHA-256 that the manifest names: it was damaged or changed. Fetch it again.");
        }
    }

    /// <summary>Takes something from a unit. Nobody disposes of it meanwhile.</summary>
    private T Load<T>(int unit, Func<FactoredUnit, T> take)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var taken = take(_units[unit] ??= Open(unit));
            _users[unit]++;
            return taken;
        }
    }

    private FactoredUnit Open(int unit)
    {
        var file = Manifest.Files[unit];
        var inMemory = WeightMemory.Fits(_held, file.Bytes, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        var opened = FactoredUnit.Open(_locate(file), Manifest, unit, inMemory);
        _held += inMemory ? file.Bytes : 0;
        return opened;
    }

    private LayerWeights Layer(FactoredUnit unit, int layer)
    {
        var matrices = Matrices(unit, layer + 1);
        return new LayerWeights
        {
            InputNorm = unit.Vector("input_layernorm.weight"),
            Query = matrices[0],
            Key = matrices[1],
            Value = matrices[2],
            QueryNorm = Shape.QueryKeyNorm ? unit.Vector("self_attn.q_norm.weight") : null,
            KeyNorm = Shape.QueryKeyNorm ? unit.Vector("self_attn.k_norm.weight") : null,
            Output = matrices[3],
            PostAttentionNorm = unit.Vector("post_attention_layernorm.weight"),
            Gate = matrices[4],
            Up = matrices[5],
            Down = matrices[6],
        };
    }

    private HeadWeights Head(FactoredUnit unit) => new(unit.Vector("norm.weight"), Matrices(unit, Shape.Layers + 1)[0]);

    private FactoredLinear[] Matrices(FactoredUnit unit, int index) =>
        [.. Manifest.MatricesOf(index).Zip(ManifestLayout.Sites(Shape, index), (form, site) => unit.Matrix(form, site.HasBias))];

    private void CheckUnit(int unit)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(unit);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(unit, Shape.Units);
    }
}
