using System.Collections.Concurrent;
using System.Collections.Immutable;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>Fetches manifests and weight files into a store from the peers that it is told of. Its work runs beside actors, never on their threads. Thread-safe.</summary>
public sealed class BlobFetcher : IDisposable
{
    private readonly BlobStore _store;
    private readonly BlobLimits _limits;
    private readonly BlobClient _client;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _claims = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Action, byte> _wakes = [];
    private ImmutableArray<BlobPeer> _peers = [];

    /// <summary>Into <paramref name="store"/>.</summary>
    /// <param name="store">Takes the files.</param>
    /// <param name="limits">The node's limits.</param>
    /// <param name="certificate">The node's certificate, or null where the cluster has no TLS. It must outlive this.</param>
    /// <param name="time">The clock; the system's when null.</param>
    public BlobFetcher(BlobStore store, BlobLimits limits, NodeCertificate? certificate, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(limits);
        (_store, _limits, _time) = (store, limits, time ?? TimeProvider.System);
        _client = new BlobClient(limits, certificate);
    }

    /// <summary>Told, on any thread, of each peer that is proven to have given something else.</summary>
    public Action<BlobFault>? Faulted { get; set; }

    /// <summary>Told, on any thread and for people, of each failure of a peer.</summary>
    public Action<string>? Failed { get; set; }

    /// <summary>Who gives what now.</summary>
    public void Follow(ImmutableArray<BlobPeer> peers)
    {
        ImmutableInterlocked.InterlockedExchange(ref _peers, peers);
        foreach (var wake in _wakes.Keys)
        {
            wake();
        }
    }

    /// <summary>Fetches the manifest of a model; complete when it is in the store. While nobody gives it, waits for somebody who does.</summary>
    /// <exception cref="IOException">This machine's disk failed.</exception>
    /// <exception cref="OperationCanceledException">It was given up.</exception>
    public async Task FetchManifestAsync(ModelId model, CancellationToken cancellation)
    {
        var fetch = new ManifestFetch(_store, _client, _time, model, () => _peers, Fault, Fail);
        using (Waking(fetch.Wake))
        {
            await fetch.RunAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Fetches the files of a range that are not there; complete when all are in the store, with the right hashes. While nobody gives one, waits for somebody who does.</summary>
    /// <param name="model">The model; its manifest is in the store.</param>
    /// <param name="range">The units.</param>
    /// <param name="keep">Names of files that must not make room for these.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <param name="cancellation">Gives up; what is there stays for the next time.</param>
    /// <exception cref="KeyNotFoundException">The manifest is not there.</exception>
    /// <exception cref="IOException">There is no room, or this machine's disk failed; the message says what to do.</exception>
    /// <exception cref="OperationCanceledException">It was given up.</exception>
    public async Task FetchAsync(ModelId model, LayerRange range, IReadOnlySet<string> keep, FetchProgress progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(keep);
        ArgumentNullException.ThrowIfNull(progress);
        if (!_store.TryManifest(model, out var manifest))
        {
            throw new KeyNotFoundException($"The manifest of model {model.Short} is not there.");
        }

        // Another fetch may be ending that has the same files open; all take them in the same order.
        var claims = new List<SemaphoreSlim>();
        try
        {
            var wanted = manifest.Files.Skip(range.First).Take(range.Count).ToArray();
            foreach (var name in wanted.Select(file => file.Sha256).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                var claim = _claims.GetOrAdd(name, _ => new SemaphoreSlim(1));
                await claim.WaitAsync(cancellation).ConfigureAwait(false);
                claims.Add(claim);
            }

            var missing = _store.Missing(model, range).Select(unit => manifest.Files[unit]).DistinctBy(file => file.Sha256).ToImmutableArray();
            var all = keep.Concat(wanted.Select(file => file.Sha256)).ToHashSet(StringComparer.Ordinal);
            var parts = await Task.Run(() => _store.Begin(missing, all, _limits.PieceBytes), cancellation).ConfigureAwait(false);
            var fetch = new RangeFetch(_store, _client, _limits, _time, model, progress, () => _peers, Fault, Fail);
            using (Waking(fetch.Wake))
            {
                await fetch.RunAsync(missing, parts, cancellation).ConfigureAwait(false);
            }
        }
        finally
        {
            foreach (var claim in claims)
            {
                claim.Release();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private void Fault(BlobFault fault) => Faulted?.Invoke(fault);

    private void Fail(string message) => Failed?.Invoke(message);

    private Registration Waking(Action wake)
    {
        _wakes[wake] = 0;
        return new Registration(_wakes, wake);
    }

    private sealed class Registration(ConcurrentDictionary<Action, byte> wakes, Action wake) : IDisposable
    {
        public void Dispose() => wakes.TryRemove(wake, out _);
    }
}
