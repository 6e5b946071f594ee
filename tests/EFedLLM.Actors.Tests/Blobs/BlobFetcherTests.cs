using System.Collections.Concurrent;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Blobs;

/// <summary>Real files over real sockets, from peers that behave and peers that do not.</summary>
public sealed class BlobFetcherTests : IClassFixture<BlobModel>, IDisposable
{
    private static readonly BlobLimits Limits = TestLimits.Blobs with { PieceBytes = BlobModel.PieceBytes, Stall = TimeSpan.FromMilliseconds(300) };

    private readonly BlobModel _model;
    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-fetch-").FullName;
    private readonly ConcurrentQueue<BlobFault> _faults = [];
    private readonly CancellationTokenSource _patience = new(TestNode.Patience);

    public BlobFetcherTests(BlobModel model) => _model = model;

    public void Dispose()
    {
        _patience.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_range_comes_from_several_peers_at_once_and_nothing_else_comes()
    {
        await using var one = new RawPeer('1', _model);
        await using var two = new RawPeer('2', _model);
        var (store, progress) = await FetchAsync(new LayerRange(1, 3), one, two);
        Assert.Equal(new LayerRange(1, 3), Assert.Single(store.Held(_model.Id)));
        Assert.Equal(Names(1, 2), Directory.GetFiles(Path.Combine(_folder, "blobs")).Select(Path.GetFileName).Order(StringComparer.Ordinal)!);
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder, "partial")));
        Assert.NotEmpty(Pieces(one));
        Assert.NotEmpty(Pieces(two));
        var asked = Pieces(one).Concat(Pieces(two)).ToArray();
        Assert.Equal(asked.Distinct().Count(), asked.Length);
        Assert.Equal(progress.TotalBytes, progress.DoneBytes);
        Assert.Equal(_model.Manifest.Files[1].Bytes + _model.Manifest.Files[2].Bytes, progress.TotalBytes);
        for (var unit = 1; unit < 3; unit++)
        {
            Assert.True(store.TryFind(_model.Manifest.Files[unit].Sha256, out var file));
            Assert.Equal(_model.FileOf(unit), await File.ReadAllBytesAsync(file.Path));
        }
    }

    [Fact]
    public async Task Peers_that_hold_different_units_complete_one_another()
    {
        await using var one = new RawPeer('1', _model, new LayerRange(0, 2));
        await using var two = new RawPeer('2', _model, new LayerRange(2, 5));
        var (store, _) = await FetchAsync(_model.Whole, one, two);
        Assert.Equal(_model.Whole, Assert.Single(store.Held(_model.Id)));
        Assert.All(Pieces(one), asked => Assert.Contains(asked.Name, Names(0, 1)));
        Assert.All(Pieces(two), asked => Assert.Contains(asked.Name, Names(2, 3, 4)));
    }

    [Fact]
    public async Task A_fetch_that_was_cut_off_goes_on_where_it_was()
    {
        var before = 0;
        var cut = new TaskCompletionSource();
        await using (var peer = new RawPeer('1', _model))
        {
            peer.Answer = async (request, stream, cancellation) =>
            {
                if (request.IsRange && Interlocked.Increment(ref before) > 5)
                {
                    cut.TrySetResult();
                    await Task.Delay(Timeout.Infinite, cancellation);
                }

                await RawPeer.Honest(request, stream, cancellation);
            };
            using var given = new CancellationTokenSource();
            using var fetcher = Fetcher(Store(), peer);
            await fetcher.FetchManifestAsync(_model.Id, given.Token);
            var fetching = fetcher.FetchAsync(_model.Id, new LayerRange(1, 2), NoNames, new FetchProgress(), given.Token);
            await cut.Task.WaitAsync(_patience.Token);
            await given.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetching);
        }

        await using var again = new RawPeer('2', _model);
        var (store, progress) = await FetchAsync(new LayerRange(1, 2), again);
        var pieces = (int)((_model.Manifest.Files[1].Bytes + BlobModel.PieceBytes - 1) / BlobModel.PieceBytes);
        Assert.InRange(Pieces(again).Count, 1, pieces - 1);
        Assert.Equal(progress.TotalBytes, progress.DoneBytes);
        Assert.Equal(new LayerRange(1, 2), Assert.Single(store.Held(_model.Id)));
        Assert.Empty(_faults);
    }

    [Fact]
    public async Task One_peer_that_lies_among_honest_ones_is_named_and_the_file_is_right()
    {
        await using var honest = new RawPeer('1', _model);
        await using var liar = new RawPeer('2', _model) { Answer = LieOnce };
        await using var other = new RawPeer('3', _model);
        var (store, _) = await FetchAsync(new LayerRange(1, 2), honest, liar, other);
        Assert.Equal(new LayerRange(1, 2), Assert.Single(store.Held(_model.Id)));
        var fault = Assert.Single(_faults);
        Assert.Equal((liar.Device, "peer 2", _model.Id, 1, _model.Manifest.Files[1].Sha256), (fault.Peer, fault.Name, fault.Model, fault.Unit, fault.Sha256));

        // Lies about its first piece alone: a lie is in one place.
        static Task LieOnce(RawPeer.Request request, System.Net.Sockets.NetworkStream stream, CancellationToken cancellation)
            => request is { IsRange: true } ? RawPeer.Lie(request, stream, cancellation) : RawPeer.Honest(request, stream, cancellation);
    }

    [Fact]
    public async Task A_majority_that_lies_is_named_too()
    {
        await using var one = new RawPeer('1', _model) { Answer = LieInRanges };
        await using var two = new RawPeer('2', _model) { Answer = LieInRanges };
        await using var honest = new RawPeer('3', _model);
        var (store, _) = await FetchAsync(new LayerRange(2, 3), one, two, honest);
        Assert.Equal(new LayerRange(2, 3), Assert.Single(store.Held(_model.Id)));
        Assert.Equal([one.Device, two.Device], _faults.Select(fault => fault.Peer).OrderBy(device => device.Value, StringComparer.Ordinal));
    }

    [Fact]
    public async Task While_the_only_peer_lies_nothing_is_taken_and_the_next_one_that_comes_is_used()
    {
        await using var liar = new RawPeer('1', _model) { Answer = LieInRanges };
        await using var honest = new RawPeer('2', _model);
        var store = Store();
        using var fetcher = Fetcher(store, liar);
        var convicted = new TaskCompletionSource();
        fetcher.Faulted = fault =>
        {
            _faults.Enqueue(fault);
            convicted.TrySetResult();
        };
        await fetcher.FetchManifestAsync(_model.Id, _patience.Token);
        var fetching = fetcher.FetchAsync(_model.Id, new LayerRange(1, 2), NoNames, new FetchProgress(), _patience.Token);
        await convicted.Task.WaitAsync(_patience.Token);
        Assert.False(fetching.IsCompleted);
        Assert.Empty(store.Held(_model.Id));
        fetcher.Follow([liar.Peer, honest.Peer]);
        await fetching;
        Assert.Equal(liar.Device, Assert.Single(_faults).Peer);
        Assert.Equal(new LayerRange(1, 2), Assert.Single(store.Held(_model.Id)));
    }

    public static TheoryData<string> Misbehaviours() => ["truncates", "stalls", "stalls in the middle", "is busy", "answers another range", "claims another length", "answers the whole", "hangs up", "answers nonsense", "sends too much"];

    [Theory]
    [MemberData(nameof(Misbehaviours))]
    public async Task A_peer_that_misbehaves_costs_time_and_no_more(string how)
    {
        await using var bad = new RawPeer('1', _model) { Answer = (request, stream, cancellation) => request.IsRange ? MisbehaveAsync(how, request, stream, cancellation) : RawPeer.Honest(request, stream, cancellation) };
        await using var good = new RawPeer('2', _model);
        var (store, progress) = await FetchAsync(new LayerRange(3, 5), bad, good);
        Assert.Equal(new LayerRange(3, 5), Assert.Single(store.Held(_model.Id)));
        Assert.Equal(progress.TotalBytes, progress.DoneBytes);
        Assert.Empty(_faults);
        Assert.NotEmpty(Pieces(bad));
    }

    [Fact]
    public async Task A_slow_peer_s_pieces_are_taken_over_by_one_that_has_nothing_to_do()
    {
        await using var slow = new RawPeer('1', _model)
        {
            Answer = async (request, stream, cancellation) =>
            {
                // Never silent for long, and never done.
                await request.HeadAsync(stream, cancellation);
                for (var at = 0; request.IsRange && at < 1000; at++)
                {
                    await stream.WriteAsync(request.Body.Slice(at, 1), cancellation);
                    await Task.Delay(50, cancellation);
                }

                await stream.WriteAsync(request.Body[(request.IsRange ? 1000 : 0)..], cancellation);
            },
        };
        await using var quick = new RawPeer('2', _model);
        var start = System.Diagnostics.Stopwatch.StartNew();
        var (store, _) = await FetchAsync(new LayerRange(1, 2), slow, quick);
        Assert.Equal(new LayerRange(1, 2), Assert.Single(store.Held(_model.Id)));
        Assert.NotEmpty(Pieces(slow));
        Assert.InRange(start.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_false_manifest_names_its_giver_and_the_next_one_is_asked()
    {
        await using var liar = new RawPeer('1', _model) { Answer = RawPeer.Lie };
        await using var honest = new RawPeer('2', _model);
        var store = Store();
        using var fetcher = Fetcher(store, liar, honest);
        await fetcher.FetchManifestAsync(_model.Id, _patience.Token);
        Assert.True(store.TryManifest(_model.Id, out _));
        Assert.Equal((liar.Device, -1), (Assert.Single(_faults).Peer, _faults.Single().Unit));
    }

    [Fact]
    public async Task A_manifest_that_claims_to_be_huge_is_not_read()
    {
        await using var bad = new RawPeer('1', _model) { Answer = (request, stream, cancellation) => request.HeadAsync(stream, cancellation, length: long.MaxValue) };
        await using var honest = new RawPeer('2', _model);
        var store = Store();
        using var fetcher = Fetcher(store, bad, honest);
        await fetcher.FetchManifestAsync(_model.Id, _patience.Token);
        Assert.True(store.TryManifest(_model.Id, out _));
        Assert.Empty(_faults);
    }

    [Fact]
    public async Task More_than_the_disk_may_take_is_refused_with_the_setting_that_allows_it()
    {
        await using var peer = new RawPeer('1', _model);
        using var fetcher = Fetcher(BlobStore.Open(_folder, 1 << 20), peer);
        await fetcher.FetchManifestAsync(_model.Id, _patience.Token);
        var error = await Assert.ThrowsAsync<IOException>(() => fetcher.FetchAsync(_model.Id, _model.Whole, NoNames, new FetchProgress(), _patience.Token));
        Assert.Contains("efedllm.blobs.disk", error.Message, StringComparison.Ordinal);
        Assert.Empty(Pieces(peer));
    }

    private static IReadOnlySet<string> NoNames => System.Collections.Immutable.ImmutableHashSet<string>.Empty;

    private static Task LieInRanges(RawPeer.Request request, System.Net.Sockets.NetworkStream stream, CancellationToken cancellation)
        => request.IsRange ? RawPeer.Lie(request, stream, cancellation) : RawPeer.Honest(request, stream, cancellation);

    private static async Task MisbehaveAsync(string how, RawPeer.Request request, System.Net.Sockets.NetworkStream stream, CancellationToken cancellation)
    {
        switch (how)
        {
            case "truncates":
                await request.SendAsync(stream, request.Body[..(request.Body.Length / 2)], cancellation, length: request.Body.Length);
                stream.Close();
                break;
            case "stalls":
                await Task.Delay(Timeout.Infinite, cancellation);
                break;
            case "stalls in the middle":
                await request.SendAsync(stream, request.Body[..(request.Body.Length / 2)], cancellation, length: request.Body.Length);
                await Task.Delay(Timeout.Infinite, cancellation);
                break;
            case "is busy":
                await request.HeadAsync(stream, cancellation, length: 0, status: "503 Service Unavailable");
                break;
            case "answers another range":
                await request.SendAsync(stream, request.Body, cancellation, range: $"bytes {request.From + 1}-{request.To + 1}/{request.Total}");
                break;
            case "claims another length":
                await request.SendAsync(stream, request.Body, cancellation, range: $"bytes {request.From}-{request.To}/{long.MaxValue}");
                break;
            case "answers the whole":
                await request.HeadAsync(stream, cancellation, length: long.MaxValue, status: "200 OK");
                break;
            case "hangs up":
                stream.Close();
                break;
            case "sends too much":
                await request.SendAsync(stream, request.Body, cancellation, length: request.Body.Length + 1);
                break;
            default:
                await stream.WriteAsync(new byte[64 << 10], cancellation);
                stream.Close();
                break;
        }
    }

    private static List<RawPeer.Request> Pieces(RawPeer peer) => [.. peer.Asked.Where(asked => asked.IsRange)];

    private IEnumerable<string> Names(params int[] units) => units.Select(unit => _model.Manifest.Files[unit].Sha256).Order(StringComparer.Ordinal);

    private BlobStore Store() => BlobStore.Open(_folder, 1L << 30);

    private BlobFetcher Fetcher(BlobStore store, params RawPeer[] peers) => Fetcher(store, Limits, peers);

    private BlobFetcher Fetcher(BlobStore store, BlobLimits limits, params RawPeer[] peers)
    {
        var fetcher = new BlobFetcher(store, limits, null) { Faulted = _faults.Enqueue };
        fetcher.Follow([.. peers.Select(peer => peer.Peer)]);
        return fetcher;
    }

    private async Task<(BlobStore Store, FetchProgress Progress)> FetchAsync(LayerRange range, params RawPeer[] peers)
    {
        var (store, progress) = (Store(), new FetchProgress());
        using var fetcher = Fetcher(store, peers);
        await fetcher.FetchManifestAsync(_model.Id, _patience.Token);
        await fetcher.FetchAsync(_model.Id, range, NoNames, progress, _patience.Token);
        return (store, progress);
    }
}
