using System.Collections.Immutable;
using System.Threading.Channels;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>
/// Fetches some files of a model from all peers that give them. A thin shell: <see cref="DownloadPlanner"/> says whom to ask for what,
/// <see cref="FileFetch"/> what a hash means. Goes on until every file is there: while nobody gives one, it waits for somebody who does.
/// </summary>
internal sealed class RangeFetch
{
    private readonly BlobStore _store;
    private readonly BlobClient _client;
    private readonly BlobLimits _limits;
    private readonly TimeProvider _time;
    private readonly ModelId _model;
    private readonly FetchProgress _progress;
    private readonly Func<ImmutableArray<BlobPeer>> _latest;
    private readonly Action<BlobFault> _faulted;
    private readonly Action<string> _failed;
    private readonly long _began;
    private readonly Channel<FetchEvent> _events = Channel.CreateUnbounded<FetchEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Dictionary<Transfer, (CancellationTokenSource Cancel, Task Task)> _underWay = [];
    private readonly Dictionary<DeviceId, PeerRecord> _records = [];
    private Dictionary<DeviceId, BlobPeer> _peers = [];
    private FileFetch[] _files = [];

    /// <summary>Of one model.</summary>
    public RangeFetch(
        BlobStore store,
        BlobClient client,
        BlobLimits limits,
        TimeProvider time,
        ModelId model,
        FetchProgress progress,
        Func<ImmutableArray<BlobPeer>> latest,
        Action<BlobFault> faulted,
        Action<string> failed)
    {
        (_store, _client, _limits, _time, _model, _progress) = (store, client, limits, time, model, progress);
        (_latest, _faulted, _failed, _began) = (latest, faulted, failed, time.GetTimestamp());
    }

    private TimeSpan Now => _time.GetElapsedTime(_began);

    /// <summary>The peers are others, or offer other things. From any thread.</summary>
    public void Wake() => _events.Writer.TryWrite(new FetchEvent.PeersChanged());

    /// <summary>Fetches files; complete when all are in the store.</summary>
    /// <param name="files">The files.</param>
    /// <param name="parts">Their parts, in the same order; disposed of here.</param>
    /// <param name="cancellation">Gives up; what is there stays for the next time.</param>
    /// <exception cref="IOException">This machine's disk failed.</exception>
    public async Task RunAsync(ImmutableArray<WeightFile> files, ImmutableArray<PartialBlob> parts, CancellationToken cancellation)
    {
        _files = [.. files.Zip(parts, (file, part) => new FileFetch(file, part))];
        _progress.Begin(parts.Sum(part => part.DoneBytes), files.Sum(file => file.Bytes));
        try
        {
            while (true)
            {
                var records = FollowPeers();
                StartHashes(cancellation);
                if (_files.All(file => file.IsWhole))
                {
                    return;
                }

                var plan = DownloadPlanner.Decide(Waiting(), _underWay.Keys, records, Gives, _limits.Parallel, _limits.PerPeer, Now);
                foreach (var transfer in plan.Abandon)
                {
                    await _underWay[transfer].Cancel.CancelAsync().ConfigureAwait(false);
                }

                foreach (var (piece, peer) in plan.Start)
                {
                    Start(new Transfer(piece, peer, Now), cancellation);
                }

                await WaitAsync(plan.Wake, cancellation).ConfigureAwait(false);
                while (_events.Reader.TryRead(out var next))
                {
                    Take(next);
                }
            }
        }
        finally
        {
            foreach (var (cancel, _) in _underWay.Values)
            {
                await cancel.CancelAsync().ConfigureAwait(false);
            }

            await Task.WhenAll(_underWay.Values.Select(transfer => transfer.Task)).ConfigureAwait(false);
            foreach (var file in _files)
            {
                file.Part.Dispose();
            }
        }
    }

    private PeerRecord[] FollowPeers()
    {
        _peers = _latest().ToDictionary(peer => peer.Device);
        foreach (var device in _peers.Keys)
        {
            _records.TryAdd(device, new PeerRecord(device));
        }

        var records = _records.Values.Where(record => _peers.ContainsKey(record.Device)).ToArray();
        foreach (var file in _files)
        {
            // What is on its way from somebody else would only be in the way of a witness.
            if (!file.IsWhole && !file.IsHashing && !IsUnderWay(file))
            {
                var able = records.Where(record => _peers[record.Device].Offer.Holds(_model, file.File.Unit)).OrderBy(record => record.Device.Value, StringComparer.Ordinal).ToArray();
                _progress.Add(-file.ChooseWitness(able));
            }
        }

        return records;
    }

    private IEnumerable<Piece> Waiting()
    {
        var taken = _underWay.Keys.Select(transfer => (transfer.Piece.File, transfer.Piece.Index)).ToHashSet();
        for (var file = 0; file < _files.Length; file++)
        {
            if (_files[file].IsWhole || _files[file].IsHashing)
            {
                continue;
            }

            foreach (var piece in _files[file].Missing)
            {
                if (!taken.Contains((file, piece)))
                {
                    yield return new Piece(file, piece, _files[file].Part.LengthOf(piece));
                }
            }
        }
    }

    private bool Gives(DeviceId peer, Piece piece)
        => _peers.TryGetValue(peer, out var known) && _files[piece.File].MayGive(peer) && known.Offer.Holds(_model, _files[piece.File].File.Unit);

    private bool IsUnderWay(FileFetch file) => _underWay.Keys.Any(transfer => _files[transfer.Piece.File] == file);

    private void Start(Transfer transfer, CancellationToken cancellation)
    {
        var cancel = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _underWay.Add(transfer, (cancel, RunAsync(transfer, _peers[transfer.Peer].Address, cancel.Token)));
    }

    private async Task RunAsync(Transfer transfer, Uri address, CancellationToken cancellation)
    {
        var arrived = 0L;
        string? digest = null;
        Exception? error = null;
        try
        {
            digest = await _client.FetchPieceAsync(
                address,
                _files[transfer.Piece.File].Part,
                transfer.Piece.Index,
                bytes =>
                {
                    arrived += bytes;
                    _progress.Add(bytes);
                },
                cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Abandoned, or all is given up.
        }
        catch (Exception e)
        {
            error = e;
        }

        _events.Writer.TryWrite(new FetchEvent.PieceEnded(transfer, digest, arrived, error));
    }

    private void StartHashes(CancellationToken cancellation)
    {
        foreach (var file in _files.Where(file => file.IsToBeHashed && !IsUnderWay(file)))
        {
            file.IsHashing = true;
            _ = Task.Run(
                () =>
                {
                    try
                    {
                        var hash = file.Part.Hash(cancellation);
                        _events.Writer.TryWrite(new FetchEvent.FileHashed(file, hash, hash == file.File.Sha256 ? [] : file.Part.Damaged(cancellation), null));
                    }
                    catch (Exception e)
                    {
                        _events.Writer.TryWrite(new FetchEvent.FileHashed(file, "", [], e));
                    }
                },
                CancellationToken.None);
        }
    }

    private void Take(FetchEvent next)
    {
        switch (next)
        {
            case FetchEvent.PieceEnded ended:
                Take(ended);
                break;
            case FetchEvent.FileHashed { Error: { } error }:
                throw new IOException($"A file that was fetched cannot be read back: {error.Message}", error);
            case FetchEvent.FileHashed hashed:
                Take(hashed);
                break;
            default:
                break;
        }
    }

    private void Take(FetchEvent.PieceEnded ended)
    {
        var (transfer, file) = (ended.Transfer, _files[ended.Transfer.Piece.File]);
        _underWay.Remove(transfer, out var started);
        started.Cancel.Dispose();
        var record = _records[transfer.Peer];
        if (ended.Digest is { } digest)
        {
            file.Part.Note(transfer.Piece.Index, new PieceNote(transfer.Peer, digest));
            _records[transfer.Peer] = record.Gave(transfer.Piece.Length, Now - transfer.Since);
            return;
        }

        _progress.Add(-ended.Arrived);
        if (ended.Error is not { } error)
        {
            _records[transfer.Peer] = record.Dawdled(ended.Arrived, Now - transfer.Since);
        }
        else if (error is PeerBusyException)
        {
            _records[transfer.Peer] = record.Busy(Now);
        }
        else if (error is HttpRequestException or IOException or TimeoutException)
        {
            _records[transfer.Peer] = record.Failed(Now);
            _failed($"Device {transfer.Peer.Short} did not give a piece of unit {file.File.Unit} of model {_model.Short}: {error.Message}.");
        }
        else
        {
            throw new IOException($"Unit {file.File.Unit} of model {_model.Short} cannot be fetched: {error.Message}", error);
        }
    }

    private void Take(FetchEvent.FileHashed hashed)
    {
        var file = hashed.File;
        file.IsHashing = false;
        var convicted = file.Judge(hashed.Hash, hashed.Damaged, out var lost);
        _progress.Add(-lost);
        if (file.IsWhole)
        {
            _store.Complete(file.Part);
        }

        foreach (var liar in convicted)
        {
            _faulted(new BlobFault(liar, _peers.TryGetValue(liar, out var peer) ? peer.Name : "", _model, file.File.Unit, file.File.Sha256));
        }
    }

    private async Task WaitAsync(TimeSpan? wake, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (wake is { } at)
        {
            var delay = at - Now;
            patience.CancelAfter(delay > TimeSpan.Zero ? delay : TimeSpan.Zero);
        }

        try
        {
            await _events.Reader.WaitToReadAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It is time to decide again.
        }
    }
}
