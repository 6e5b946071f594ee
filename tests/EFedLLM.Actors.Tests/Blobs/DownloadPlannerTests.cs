using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Blobs;

public class DownloadPlannerTests
{
    private static readonly TimeSpan Now = TimeSpan.FromSeconds(100);

    [Fact]
    public void Pieces_spread_over_peers_that_nothing_is_known_of()
    {
        var plan = Decide(Pieces(8), [], [Peer('1'), Peer('2')], parallel: 8);
        Assert.Equal(8, plan.Start.Length);
        Assert.Equal([4, 4], plan.Start.CountBy(start => start.Peer).Select(count => count.Value));
        Assert.Equal(8, plan.Start.Select(start => start.Piece).Distinct().Count());
    }

    [Fact]
    public void No_more_is_asked_than_may_be_on_its_way_of_all_and_of_one()
    {
        Assert.Equal(5, Decide(Pieces(100), [], [Peer('1'), Peer('2')], parallel: 5).Start.Length);
        Assert.Equal(6, Decide(Pieces(100), [], [Peer('1'), Peer('2')], parallel: 100, perPeer: 3).Start.Length);
        Assert.Empty(Decide(Pieces(100), [UnderWay('1', 0), UnderWay('1', 1)], [Peer('1')], parallel: 8, perPeer: 2).Start);
    }

    [Fact]
    public void A_quick_peer_is_asked_for_more()
    {
        var plan = Decide(Pieces(12), [], [Peer('1', 1e6), Peer('2', 3e6)], parallel: 8, perPeer: 8);
        Assert.Equal(2, plan.Start.Count(start => start.Peer == Device('1')));
        Assert.Equal(6, plan.Start.Count(start => start.Peer == Device('2')));
    }

    [Fact]
    public void A_peer_that_was_never_asked_is_tried()
        => Assert.Contains(Decide(Pieces(4), [], [Peer('1', 1e6), Peer('2')], parallel: 4).Start, start => start.Peer == Device('2'));

    [Fact]
    public void Only_a_peer_that_gives_a_piece_is_asked_for_it()
    {
        var plan = DownloadPlanner.Decide(Pieces(8), [], [Peer('1'), Peer('2')], (peer, piece) => (peer == Device('1')) == (piece.Index % 2 == 0), 8, 8, Now);
        Assert.Equal(8, plan.Start.Length);
        Assert.All(plan.Start, start => Assert.Equal(start.Piece.Index % 2 == 0 ? Device('1') : Device('2'), start.Peer));
    }

    [Fact]
    public void A_peer_that_failed_is_left_alone_until_its_time_and_the_planner_says_when()
    {
        var failed = Peer('1') with { NotBefore = Now + TimeSpan.FromSeconds(3) };
        var plan = Decide(Pieces(2), [], [failed], parallel: 4);
        Assert.Empty(plan.Start);
        Assert.Equal(failed.NotBefore, plan.Wake);
        Assert.Equal(2, Decide(Pieces(2), [], [failed with { NotBefore = Now }], parallel: 4).Start.Length);
    }

    [Fact]
    public void Each_failure_doubles_the_wait_up_to_half_a_minute_and_a_success_ends_it()
    {
        var peer = Peer('1');
        var waits = new List<double>();
        for (var failure = 0; failure < 12; failure++)
        {
            peer = peer.Failed(Now);
            waits.Add((peer.NotBefore - Now).TotalSeconds);
        }

        Assert.Equal([0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30], waits);
        Assert.Equal((0, TimeSpan.Zero), (peer.Gave(1000, TimeSpan.FromSeconds(1)).Failures, peer.Gave(1000, TimeSpan.FromSeconds(1)).NotBefore));
        Assert.Equal(0, Peer('1').Busy(Now).Failures);
    }

    [Fact]
    public void An_idle_peer_takes_over_from_one_that_is_several_times_slower_and_only_when_nothing_waits()
    {
        var old = UnderWay('1', 0) with { Since = Now - TimeSpan.FromSeconds(20) };
        PeerRecord[] peers = [Peer('1', 1e4), Peer('2', 1e6)];
        Assert.Equal(old, Assert.Single(Decide([], [old], peers, parallel: 4).Abandon));
        Assert.Empty(Decide(Pieces(4), [old], peers, parallel: 4).Abandon);
        Assert.Empty(Decide([], [old], [peers[0], peers[1] with { BytesPerSecond = 1e5 }], parallel: 4).Abandon);
        Assert.Empty(Decide([], [old], [peers[0]], parallel: 4).Abandon);

        var young = old with { Since = Now };
        var plan = Decide([], [young], peers, parallel: 4);
        Assert.Empty(plan.Abandon);
        Assert.Equal(Now + TimeSpan.FromSeconds(3), plan.Wake);
    }

    [Fact]
    public void Whatever_fails_every_piece_comes_and_none_is_asked_of_two_at_once()
    {
        for (var seed = 1; seed <= 200; seed++)
        {
            Simulate(seed);
        }
    }

    /// <summary>Runs downloads from peers of random speeds that fail at random, by the planner alone.</summary>
    private static void Simulate(int seed)
    {
        var random = new Random(seed);
        var records = Enumerable.Range(0, random.Next(1, 6)).ToDictionary(peer => Device((char)('1' + peer)), peer => new PeerRecord(Device((char)('1' + peer))));
        var speeds = records.Keys.ToDictionary(device => device, _ => Math.Pow(10, 4 + (3 * random.NextDouble())));
        var waiting = Pieces(random.Next(1, 60)).ToHashSet();
        var underWay = new Dictionary<Transfer, TimeSpan>();
        var now = TimeSpan.Zero;
        for (var step = 0; waiting.Count + underWay.Count > 0; step++)
        {
            Assert.True(step < 20_000, $"seed {seed}: it goes on for ever");
            var plan = DownloadPlanner.Decide(waiting.OrderBy(piece => piece.Index), underWay.Keys, records.Values, (_, _) => true, 6, 3, now);
            foreach (var transfer in plan.Abandon)
            {
                Assert.True(underWay.Remove(transfer), $"seed {seed}");
                waiting.Add(transfer.Piece);
                records[transfer.Peer] = records[transfer.Peer].Dawdled(1000, now - transfer.Since);
            }

            foreach (var (piece, peer) in plan.Start)
            {
                Assert.True(waiting.Remove(piece), $"seed {seed}: piece {piece.Index} is asked for twice");
                underWay.Add(new Transfer(piece, peer, now), now + TimeSpan.FromSeconds(piece.Length / speeds[peer] * (0.5 + random.NextDouble())));
            }

            Assert.True(underWay.Count <= 6, $"seed {seed}");
            Assert.True(underWay.Keys.CountBy(transfer => transfer.Peer).All(count => count.Value <= 3), $"seed {seed}");
            if (plan.Abandon.Length > 0)
            {
                continue;
            }

            var end = underWay.Count > 0 ? underWay.MinBy(each => each.Value) : default;
            if (underWay.Count == 0 || plan.Wake < end.Value)
            {
                Assert.True(plan.Wake is not null, $"seed {seed}: nothing happens any more");
                now = plan.Wake!.Value > now ? plan.Wake.Value : now + TimeSpan.FromTicks(1);
                continue;
            }

            now = end.Value > now ? end.Value : now;
            underWay.Remove(end.Key);
            if (random.NextDouble() < 0.3)
            {
                waiting.Add(end.Key.Piece);
                records[end.Key.Peer] = records[end.Key.Peer].Failed(now);
            }
            else
            {
                records[end.Key.Peer] = records[end.Key.Peer].Gave(end.Key.Piece.Length, now - end.Key.Since);
            }
        }
    }

    private static DownloadPlan Decide(IEnumerable<Piece> waiting, Transfer[] underWay, PeerRecord[] peers, int parallel, int perPeer = 4)
        => DownloadPlanner.Decide(waiting, underWay, peers, (_, _) => true, parallel, perPeer, Now);

    private static IEnumerable<Piece> Pieces(int count) => Enumerable.Range(0, count).Select(piece => new Piece(0, piece, 1_000_000));

    private static Transfer UnderWay(char peer, int piece) => new(new Piece(0, piece, 1_000_000), Device(peer), Now);

    private static PeerRecord Peer(char digit, double bytesPerSecond = 0) => new(Device(digit), bytesPerSecond);

    private static DeviceId Device(char digit) => new(new string(digit, 32));
}
