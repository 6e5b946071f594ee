using System.Collections.Immutable;
using Akka.Event;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// The models that a device can load from: those of its folders, and those whose manifests it has fetched, of which some files may be
/// missing. For one thread at a time.
/// </summary>
internal sealed class ModelLibrary : IDisposable
{
    private readonly BlobStore? _store;
    private readonly Dictionary<ModelId, IModelSource> _sources = [];

    private ModelLibrary(BlobStore? store) => _store = store;

    /// <summary>Number of models.</summary>
    public int Count => _sources.Count;

    /// <summary>The models all of whose files are there, by id.</summary>
    public ImmutableArray<ModelId> Complete
        => [.. _sources.Where(source => !IsFetched(source.Value) || _store!.Missing(source.Key, LayerRange.Whole(source.Value.Shape.Layers)).IsEmpty)
            .Select(source => source.Key).OrderBy(model => model.Value, StringComparer.Ordinal)];

    /// <summary>The files that can be given to others.</summary>
    public ImmutableArray<HeldFiles> Held => _store is null ? [] : [.. _store.Models.Select(model => new HeldFiles(model, _store.Held(model)))];

    /// <summary>Opens all that there is. What cannot be opened is logged and left out.</summary>
    public static ModelLibrary Open(DeviceSettings settings, ILoggingAdapter log)
    {
        var library = new ModelLibrary(settings.Blobs?.Store);
        foreach (var folder in settings.ModelFolders)
        {
            try
            {
                library.Add(library._store is { } store && FactoredModel.IsFactored(folder) ? store.OpenModel(store.AddFolder(folder)) : settings.OpenModel(folder));
            }
            catch (Exception e)
            {
                log.Error(e, "The model in {0} cannot be used.", folder);
            }
        }

        foreach (var model in library._store?.Models ?? [])
        {
            try
            {
                library.Add(model);
            }
            catch (Exception e)
            {
                log.Error(e, "The model {0} that was fetched before cannot be used.", model.Short);
            }
        }

        return library;
    }

    /// <summary>Takes a model whose manifest the store has.</summary>
    /// <exception cref="IOException">The manifest cannot be read.</exception>
    /// <exception cref="InvalidDataException">The manifest is not the one of that model.</exception>
    public void Add(ModelId model)
    {
        if (!_sources.ContainsKey(model))
        {
            Add(_store!.OpenModel(model));
        }
    }

    /// <summary>The model's source, or null.</summary>
    public IModelSource? Find(ModelId model) => _sources.GetValueOrDefault(model);

    /// <summary>Whether files of a range have to be fetched first.</summary>
    public bool Lacks(ModelId model, LayerRange range) => IsFetched(_sources[model]) && !_store!.Missing(model, range).IsEmpty;

    /// <summary>Names of the files of a range.</summary>
    public IEnumerable<string> Names(ModelId model, LayerRange range)
        => _sources.GetValueOrDefault(model) is FactoredModel factored ? factored.Manifest.Files.Skip(range.First).Take(range.Count).Select(file => file.Sha256) : [];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var source in _sources.Values)
        {
            source.Dispose();
        }
    }

    private bool IsFetched(IModelSource source) => _store is not null && source is FactoredModel;

    private void Add(IModelSource source)
    {
        if (!_sources.TryAdd(source.Id, source))
        {
            source.Dispose();
        }
    }
}
