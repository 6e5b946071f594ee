using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>What a layer host fetches at the moment. Each fetch runs beside the actor and ends with a message to it. For the actor alone.</summary>
internal sealed class RangeFetches : IDisposable
{
    private readonly DeviceBlobs _blobs;
    private readonly IActorRef _host;
    private readonly CancellationTokenSource _all = new();
    private readonly HashSet<ModelId> _manifests = [];
    private readonly Dictionary<(ModelId Model, LayerRange Range), (CancellationTokenSource Cancel, FetchProgress Progress)> _ranges = [];

    private RangeFetches(DeviceBlobs blobs, IActorRef host) => (_blobs, _host) = (blobs, host);

    /// <summary>How far each is.</summary>
    public ImmutableArray<FetchingRange> Progress =>
    [
        .. from fetch in _ranges
           orderby fetch.Key.Model.Value, fetch.Key.Range.First, fetch.Key.Range.End
           let total = fetch.Value.Progress.TotalBytes
           select new FetchingRange(fetch.Key.Model, fetch.Key.Range, Math.Min(fetch.Value.Progress.DoneBytes, total), total),
    ];

    /// <summary>Those of a layer host.</summary>
    /// <param name="blobs">Fetches.</param>
    /// <param name="host">The layer host.</param>
    public static RangeFetches Of(DeviceBlobs blobs, IActorRef host) => new(blobs, host);

    /// <summary>Fetches a model's manifest, if that is not under way; ends with <see cref="ManifestFetched"/> or <see cref="ManifestNotFetched"/>.</summary>
    public void Manifest(ModelId model)
    {
        if (_manifests.Add(model))
        {
            var token = _all.Token;
            Task.Run(() => _blobs.Fetcher.FetchManifestAsync(model, token), token)
                .PipeTo(_host, success: () => new ManifestFetched(model), failure: error => new ManifestNotFetched(model, error));
        }
    }

    /// <summary>A manifest's fetch has ended.</summary>
    public void EndManifest(ModelId model) => _manifests.Remove(model);

    /// <summary>Fetches what lacks of a range; ends with <see cref="RangeFetched"/> or <see cref="RangeNotLoaded"/>.</summary>
    /// <param name="key">The range.</param>
    /// <param name="keep">Names of files that must not make room.</param>
    public void Start((ModelId Model, LayerRange Range) key, IReadOnlySet<string> keep)
    {
        var (cancel, progress) = (CancellationTokenSource.CreateLinkedTokenSource(_all.Token), new FetchProgress());
        _ranges[key] = (cancel, progress);
        var token = cancel.Token;
        Task.Run(() => _blobs.Fetcher.FetchAsync(key.Model, key.Range, keep, progress, token), token)
            .PipeTo(_host, success: () => new RangeFetched(key.Model, key.Range, progress.TotalBytes, progress.BeforeBytes), failure: error => new RangeNotLoaded(key.Model, key.Range, error));
    }

    /// <summary>A range's fetch has ended.</summary>
    public void End((ModelId Model, LayerRange Range) key)
    {
        if (_ranges.Remove(key, out var fetch))
        {
            fetch.Cancel.Dispose();
        }
    }

    /// <summary>Gives up what is not wanted any more; its end is told all the same.</summary>
    public void KeepOnly(Func<(ModelId Model, LayerRange Range), bool> isWanted)
    {
        foreach (var (key, fetch) in _ranges)
        {
            if (!isWanted(key))
            {
                fetch.Cancel.Cancel();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _all.Cancel();
        foreach (var (cancel, _) in _ranges.Values)
        {
            cancel.Dispose();
        }

        _all.Dispose();
    }
}
