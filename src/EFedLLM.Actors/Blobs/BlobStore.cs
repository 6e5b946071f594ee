using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>
/// The model files of a node, by their SHA-256: its own, which it fetched (<c>blobs/</c>, each named by its hash), and those of model
/// folders, which are only read. A file appears in one step when it is whole and its hash is right; what is on its way is in
/// <c>partial/</c>. Whoever uses a file checks its hash first (<see cref="FactoredModel.Verify"/>), so a start looks at lengths alone, and
/// a file that a crash or the disk damaged is found before it is computed with. Thread-safe. One process at a time.
/// </summary>
public sealed class BlobStore
{
    private const int MostModels = ProtocolLimits.AnnouncedRanges;

    /// <summary>What is left to the rest of the machine when the disk is nearly full.</summary>
    private const long SpareDisk = 64L << 20;

    private readonly Lock _gate = new();
    private readonly string _blobs;
    private readonly string _partial;
    private readonly string _manifests;
    private readonly long _limit;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, StoredBlob> _own = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StoredBlob> _parts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, BlobFile> _foreign = new(StringComparer.Ordinal);
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<ModelId, (ModelManifest Manifest, BlobFile File)> _models = [];

    private BlobStore(string folder, long limit, TimeProvider time)
    {
        (Folder, _limit, _time) = (folder, limit, time);
        (_blobs, _partial, _manifests) = (Path.Combine(folder, "blobs"), Path.Combine(folder, "partial"), Path.Combine(folder, "manifests"));
        foreach (var each in new[] { _blobs, _partial, _manifests })
        {
            Directory.CreateDirectory(each);
        }
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>The models whose manifests are here.</summary>
    public ImmutableArray<ModelId> Models
    {
        get
        {
            lock (_gate)
            {
                return [.. _models.Keys.OrderBy(model => model.Value, StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Opens the store in a folder, which is made when it is missing. Files whose lengths are wrong, and manifests that are none, are removed.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="limit">Bytes that the fetched files may take.</param>
    /// <param name="time">The clock; the system's when null.</param>
    /// <exception cref="IOException">The folder cannot be read or written.</exception>
    public static BlobStore Open(string folder, long limit, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var store = new BlobStore(Path.GetFullPath(folder), limit, time ?? TimeProvider.System);
        store.Scan();
        return store;
    }

    /// <summary>Takes a factored model's folder as a source that is only read: those of its files that are there and as long as they should be.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>The model.</returns>
    /// <exception cref="IOException">The manifest cannot be read.</exception>
    /// <exception cref="InvalidDataException">The manifest is malformed.</exception>
    public ModelId AddFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var path = Path.Combine(folder, ModelManifest.FileName);
        var json = ReadManifest(path);
        var (manifest, id) = (ModelManifest.Parse(json), ModelManifest.IdOf(json));
        lock (_gate)
        {
            Know(id, manifest, new BlobFile(path, json.Length));
            foreach (var (name, bytes, sha256) in Files(manifest))
            {
                var info = new FileInfo(Path.Combine(folder, name));
                if (info.Exists && info.Length == bytes)
                {
                    _foreign.TryAdd(sha256, new BlobFile(info.FullName, bytes));
                }
            }
        }

        return id;
    }

    /// <summary>The file of a name, when it is here whole and belongs to a model whose manifest is here; a manifest's name is its model's id.</summary>
    public bool TryFind(string sha256, [NotNullWhen(true)] out BlobFile? file)
    {
        ArgumentNullException.ThrowIfNull(sha256);
        file = null;
        if (!BlobNames.IsName(sha256))
        {
            return false;
        }

        lock (_gate)
        {
            file = _models.TryGetValue(new ModelId(sha256), out var model) ? model.File
                : !_known.Contains(sha256) ? null
                : _own.TryGetValue(sha256, out var own) ? new BlobFile(PathOf(sha256), own.Bytes)
                : _foreign.GetValueOrDefault(sha256);
        }

        return file is not null;
    }

    /// <summary>The manifest of a model, when it is here.</summary>
    public bool TryManifest(ModelId model, [NotNullWhen(true)] out ModelManifest? manifest)
    {
        lock (_gate)
        {
            manifest = _models.TryGetValue(model, out var known) ? known.Manifest : null;
        }

        return manifest is not null;
    }

    /// <summary>Opens a model of which this store has the manifest. Its files are looked for here each time one is needed.</summary>
    /// <exception cref="KeyNotFoundException">The manifest is not here.</exception>
    /// <exception cref="IOException">The manifest cannot be read any more.</exception>
    /// <exception cref="InvalidDataException">The manifest has changed.</exception>
    public FactoredModel OpenModel(ModelId model)
    {
        BlobFile file;
        lock (_gate)
        {
            file = _models[model].File;
        }

        var json = ReadManifest(file.Path);
        return ModelManifest.IdOf(json) == model
            ? FactoredModel.Open(json, Path.GetDirectoryName(file.Path)!, Locate)
            : throw new InvalidDataException($"\"{file.Path}\" has changed since this program started. Start it again.");
    }

    /// <summary>Which files of a model are here, as ranges of its units.</summary>
    public ImmutableArray<LayerRange> Held(ModelId model)
    {
        lock (_gate)
        {
            return _models.TryGetValue(model, out var known) ? UnitRanges.Of(known.Manifest.Files.Length, unit => Has(known.Manifest.Files[unit].Sha256)) : [];
        }
    }

    /// <summary>The units of a range whose files are not here.</summary>
    /// <exception cref="KeyNotFoundException">The manifest is not here.</exception>
    public ImmutableArray<int> Missing(ModelId model, LayerRange range)
    {
        lock (_gate)
        {
            var files = _models[model].Manifest.Files;
            return [.. Enumerable.Range(range.First, range.Count).Where(unit => !Has(files[unit].Sha256))];
        }
    }

    /// <summary>Takes a manifest that was fetched.</summary>
    /// <param name="model">The model that it should be the manifest of.</param>
    /// <param name="json">Its bytes.</param>
    /// <exception cref="InvalidDataException">It is another one's, or malformed.</exception>
    /// <exception cref="IOException">It cannot be written, or there are too many.</exception>
    public void AddManifest(ModelId model, ReadOnlySpan<byte> json)
    {
        if (ModelManifest.IdOf(json) != model)
        {
            throw new InvalidDataException($"The manifest does not have the SHA-256 that names model {model.Short}.");
        }

        var manifest = ModelManifest.Parse(json);
        lock (_gate)
        {
            if (_models.ContainsKey(model))
            {
                return;
            }

            if (_models.Count >= MostModels)
            {
                throw new IOException($"There are {_models.Count} models in {Folder} already: remove those that are no longer used from {_manifests}.");
            }

            var path = Path.Combine(_manifests, model.Value);
            var part = $"{path}.part";
            File.WriteAllBytes(part, json);
            File.Move(part, path, overwrite: true);
            Know(model, manifest, new BlobFile(path, json.Length));
        }
    }

    /// <summary>Remembers that files were of use, so that others make room before them.</summary>
    public void Touch(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        lock (_gate)
        {
            foreach (var name in names)
            {
                if (_own.TryGetValue(name, out var blob))
                {
                    _own[name] = blob with { Used = _time.GetUtcNow() };
                    File.SetLastWriteTimeUtc(PathOf(name), _time.GetUtcNow().UtcDateTime);
                }
            }
        }
    }

    /// <summary>Gives a file up that turned out to be damaged: one of its own is removed, one of a folder not used any more.</summary>
    public void Discard(string sha256)
    {
        ArgumentNullException.ThrowIfNull(sha256);
        lock (_gate)
        {
            if (_own.Remove(sha256))
            {
                File.Delete(PathOf(sha256));
            }
            else
            {
                _foreign.Remove(sha256);
            }
        }
    }

    /// <summary>Makes room for files and opens their parts, which may hold pieces from before.</summary>
    /// <param name="files">What is to come.</param>
    /// <param name="keep">Names of files that must stay.</param>
    /// <param name="pieceBytes">Bytes of a piece.</param>
    /// <exception cref="IOException">There is no room, or a file cannot be written; the message says what to do.</exception>
    internal ImmutableArray<PartialBlob> Begin(IReadOnlyCollection<WeightFile> files, IReadOnlySet<string> keep, int pieceBytes)
    {
        lock (_gate)
        {
            MakeRoom(files, keep);
            foreach (var file in files)
            {
                _parts[file.Sha256] = new StoredBlob(file.Sha256, file.Bytes, _time.GetUtcNow());
            }
        }

        // Without the lock: pieces from before are read to the last.
        var parts = ImmutableArray.CreateBuilder<PartialBlob>(files.Count);
        try
        {
            foreach (var file in files)
            {
                parts.Add(PartialBlob.Open(_partial, file.Sha256, file.Bytes, pieceBytes));
            }

            return parts.MoveToImmutable();
        }
        catch
        {
            foreach (var part in parts)
            {
                part.Dispose();
            }

            throw;
        }
    }

    /// <summary>Takes a part whose hash was found right.</summary>
    internal void Complete(PartialBlob part)
    {
        part.Dispose();
        lock (_gate)
        {
            File.Move(part.Path, PathOf(part.Sha256), overwrite: true);
            part.Forget();
            _parts.Remove(part.Sha256);
            _own[part.Sha256] = new StoredBlob(part.Sha256, part.Bytes, _time.GetUtcNow());
        }
    }

    private static IEnumerable<(string Name, long Bytes, string Sha256)> Files(ModelManifest manifest)
        => manifest.Files.Select(file => (file.Name, file.Bytes, file.Sha256)).Concat(manifest.Companions.Select(file => (file.Name, file.Bytes, file.Sha256)));

    private static byte[] ReadManifest(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (stream.Length > ModelManifest.MaximumBytes)
        {
            throw new InvalidDataException($"\"{path}\" has {stream.Length} bytes, but a manifest at most {ModelManifest.MaximumBytes}.");
        }

        var json = new byte[stream.Length];
        return json[..stream.ReadAtLeast(json, json.Length, throwOnEndOfStream: false)];
    }

    private void Scan()
    {
        foreach (var path in Directory.EnumerateFiles(_manifests).Take(2 * MostModels).ToArray())
        {
            try
            {
                var json = ReadManifest(path);
                var id = ModelManifest.IdOf(json);
                if (id.Value == Path.GetFileName(path) && _models.Count < MostModels)
                {
                    Know(id, ModelManifest.Parse(json), new BlobFile(path, json.Length));
                    continue;
                }
            }
            catch (InvalidDataException)
            {
                // Removed as everything here that is no manifest.
            }

            File.Delete(path);
        }

        var lengths = _models.Values.SelectMany(model => Files(model.Manifest)).ToLookup(file => file.Sha256, file => file.Bytes, StringComparer.Ordinal);
        foreach (var info in new DirectoryInfo(_blobs).EnumerateFiles().ToArray())
        {
            if (!BlobNames.IsName(info.Name) || (lengths.Contains(info.Name) && !lengths[info.Name].Contains(info.Length)))
            {
                info.Delete();
                continue;
            }

            _own[info.Name] = new StoredBlob(info.Name, info.Length, new DateTimeOffset(info.LastWriteTimeUtc));
        }

        foreach (var info in new DirectoryInfo(_partial).EnumerateFiles().Where(info => BlobNames.IsName(info.Name)).ToArray())
        {
            _parts[info.Name] = new StoredBlob(info.Name, info.Length, new DateTimeOffset(info.LastWriteTimeUtc));
        }
    }

    private void Know(ModelId id, ModelManifest manifest, BlobFile file)
    {
        if (!_models.TryAdd(id, (manifest, file)))
        {
            return;
        }

        _known.UnionWith(Files(manifest).Select(each => each.Sha256));
    }

    private bool Has(string sha256) => _own.ContainsKey(sha256) || _foreign.ContainsKey(sha256);

    private string PathOf(string sha256) => Path.Combine(_blobs, sha256);

    private string Locate(WeightFile file)
    {
        lock (_gate)
        {
            return !_own.ContainsKey(file.Sha256) && _foreign.TryGetValue(file.Sha256, out var foreign) ? foreign.Path : PathOf(file.Sha256);
        }
    }

    private void MakeRoom(IReadOnlyCollection<WeightFile> files, IReadOnlySet<string> keep)
    {
        // What a file takes already as a part is not needed twice.
        var coming = files.Select(file => file.Sha256).ToHashSet(StringComparer.Ordinal);
        var needed = files.Sum(file => file.Bytes);
        var stored = _own.Values.Concat(_parts.Values.Where(part => !coming.Contains(part.Sha256))).ToArray();
        if (BlobEviction.Choose(stored, keep, _limit, needed) is not { } gone)
        {
            throw new IOException(
                $"{needed} bytes of model files do not fit into the {_limit} that {Folder} may take beside what is in use. Raise efedllm.blobs.disk.");
        }

        foreach (var name in gone)
        {
            if (_own.Remove(name))
            {
                File.Delete(PathOf(name));
            }

            if (_parts.Remove(name))
            {
                PartialBlob.Remove(_partial, name);
            }
        }

        var lacking = needed - coming.Sum(name => new FileInfo(Path.Combine(_partial, name)) is { Exists: true } part ? part.Length : 0);
        var free = new DriveInfo(Folder).AvailableFreeSpace - SpareDisk;
        if (lacking > free)
        {
            throw new IOException($"{lacking} bytes of model files do not fit onto the disk of {Folder}, which has {Math.Max(free, 0)} left. Make room, or name another folder with --data.");
        }
    }
}
