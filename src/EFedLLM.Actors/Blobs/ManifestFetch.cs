using System.Collections.Immutable;
using System.Threading.Channels;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>Fetches a model's manifest: from one peer after the other, until one gives what has the model's id for its hash.</summary>
internal sealed class ManifestFetch
{
    private readonly BlobStore _store;
    private readonly BlobClient _client;
    private readonly TimeProvider _time;
    private readonly ModelId _model;
    private readonly Func<ImmutableArray<BlobPeer>> _latest;
    private readonly Action<BlobFault> _faulted;
    private readonly Action<string> _failed;
    private readonly long _began;
    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Dictionary<DeviceId, PeerRecord> _records = [];
    private readonly HashSet<DeviceId> _convicted = [];

    /// <summary>Of one model.</summary>
    public ManifestFetch(
        BlobStore store, BlobClient client, TimeProvider time, ModelId model, Func<ImmutableArray<BlobPeer>> latest, Action<BlobFault> faulted, Action<string> failed)
    {
        (_store, _client, _time, _model, _latest, _faulted, _failed) = (store, client, time, model, latest, faulted, failed);
        _began = time.GetTimestamp();
    }

    private TimeSpan Now => _time.GetElapsedTime(_began);

    /// <summary>The peers are others, or offer other things. From any thread.</summary>
    public void Wake() => _wakes.Writer.TryWrite(true);

    /// <summary>Complete when the manifest is in the store.</summary>
    /// <exception cref="IOException">It cannot be kept.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        while (!_store.TryManifest(_model, out _))
        {
            var able = _latest().Where(peer => peer.Knows(_model) && !_convicted.Contains(peer.Device)).ToArray();
            foreach (var peer in able)
            {
                _records.TryAdd(peer.Device, new PeerRecord(peer.Device));
            }

            if (able.MinBy(peer => (_records[peer.Device].NotBefore, peer.Device.Value)) is { } next && _records[next.Device].NotBefore <= Now)
            {
                await TryAsync(next, cancellation).ConfigureAwait(false);
            }
            else
            {
                await WaitAsync(able.Length == 0 ? null : able.Min(peer => _records[peer.Device].NotBefore) - Now, cancellation).ConfigureAwait(false);
            }
        }
    }

    private async Task TryAsync(BlobPeer peer, CancellationToken cancellation)
    {
        byte[] json;
        try
        {
            json = await _client.FetchManifestAsync(peer.Address, _model, cancellation).ConfigureAwait(false);
        }
        catch (PeerBusyException)
        {
            _records[peer.Device] = _records[peer.Device].Busy(Now);
            return;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException)
        {
            _records[peer.Device] = _records[peer.Device].Failed(Now);
            _failed($"Device {peer.Device.Short} did not give the manifest of model {_model.Short}: {e.Message}.");
            return;
        }

        if (ModelManifest.IdOf(json) == _model)
        {
            _store.AddManifest(_model, json);
            return;
        }

        _convicted.Add(peer.Device);
        _faulted(new BlobFault(peer.Device, peer.Name, _model, -1, _model.Value));
    }

    private async Task WaitAsync(TimeSpan? delay, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (delay is { } time)
        {
            patience.CancelAfter(time > TimeSpan.Zero ? time : TimeSpan.Zero);
        }

        try
        {
            await _wakes.Reader.ReadAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It is time to ask again.
        }
    }
}
