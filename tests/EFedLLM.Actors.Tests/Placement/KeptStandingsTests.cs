using System.Collections.Immutable;
using System.Threading.Channels;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Membership;
using EFedLLM.Actors.Tests.Reputation;
using EFedLLM.Actors.Trust;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Placement;

/// <summary>What a node keeps of the ledger's word, and what it does while no ledger answers.</summary>
public sealed class KeptStandingsTests(ITestOutputHelper output) : IDisposable
{
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly Address Ledger = new("akka.tcp", "efedllm", "127.0.0.1", 1001);

    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-kept-").FullName;

    private string File => Path.Combine(_root, KeptStandings.FileName);

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public void What_is_kept_comes_back_and_what_was_kept_before_is_replaced()
    {
        Assert.Equal((0, null), (KeptStandings.Read(_root, Now).Standings.Count, KeptStandings.Read(_root, Now).Problem));
        KeptStandings.Write(_root, [Standing(1, TrustTier.Full), Standing(2, TrustTier.Excluded)]);
        KeptStandings.Write(_root, [Standing(2, TrustTier.Excluded), Standing(3, TrustTier.Quarantined)]);
        var (kept, problem) = KeptStandings.Read(_root, Now);
        Assert.Null(problem);
        Assert.Equal([Standing(2, TrustTier.Excluded), Standing(3, TrustTier.Quarantined)], kept.Values.OrderBy(standing => standing.Device.Value));
        Assert.Equal([File], Directory.GetFiles(_root));
    }

    [Fact]
    public void Whose_exclusion_is_over_meanwhile_is_in_quarantine()
    {
        var banned = Standing(1, TrustTier.Excluded) with { Exclusion = new Exclusion(false, Now.AddDays(1), 9.21, 4096) };
        KeptStandings.Write(_root, [banned]);
        Assert.Equal(banned, KeptStandings.Read(_root, Now).Standings[banned.Device]);
        Assert.Equal(banned with { Server = TrustTier.Quarantined, Exclusion = null }, KeptStandings.Read(_root, Now.AddDays(1)).Standings[banned.Device]);
    }

    [Fact]
    public void Of_more_than_may_be_kept_the_excluded_stay()
    {
        KeptStandings.Write(_root, [.. Enumerable.Range(1, KeptStandings.Most + 5).Select(i => Standing(i, TrustTier.Full)), Standing(1 << 20, TrustTier.Excluded)]);
        var (kept, problem) = KeptStandings.Read(_root, Now);
        Assert.Null(problem);
        Assert.Equal((KeptStandings.Most, TrustTier.Excluded), (kept.Count, kept[Standing(1 << 20, TrustTier.Full).Device].Server));
    }

    [Fact]
    public void A_damaged_file_costs_what_is_in_it_and_no_start()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        KeptStandings.Write(_root, [.. Enumerable.Range(1, 5).Select(i => Standing(i, TrustTier.Excluded) with { Exclusion = new Exclusion(true, Now.AddDays(1), 9.21, 4096) })]);
        var bytes = System.IO.File.ReadAllBytes(File);
        for (var round = 0; round < 2000; round++)
        {
            byte[] damaged = [.. bytes];
            for (var flips = random.Next(1, 9); flips > 0; flips--)
            {
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            }

            System.IO.File.WriteAllBytes(File, damaged[..random.Next(damaged.Length + 1)]);
            var (kept, problem) = KeptStandings.Read(_root, Now);
            Assert.True(problem is null || kept.IsEmpty);
        }

        using (var large = System.IO.File.Create(File))
        {
            large.SetLength(1L << 30);
        }

        Assert.Contains("longer", KeptStandings.Read(_root, Now).Problem, StringComparison.Ordinal);
        System.IO.File.Delete(File);
        Directory.CreateDirectory(File);
        Assert.Null(KeptStandings.Read(_root, Now).Problem);
    }

    [Fact]
    public void A_ledger_is_missed_half_a_minute_after_it_answered_last_and_only_where_there_was_one()
    {
        var never = new LedgerWatch(false, TimeSpan.Zero).After(answers: false, TimeSpan.FromHours(1));
        Assert.Equal((null, false), (never.Deadline, never.IsAway(TimeSpan.FromDays(1))));

        var seen = never.After(answers: true, TimeSpan.FromHours(2));
        Assert.Equal((null, false), (seen.Deadline, seen.IsAway(TimeSpan.FromDays(1))));
        var gone = seen.After(answers: false, TimeSpan.FromHours(3)).After(answers: false, TimeSpan.FromHours(3.001));
        Assert.False(gone.IsAway(TimeSpan.FromHours(3) + TimeSpan.FromSeconds(29.9)));
        Assert.True(gone.IsAway(TimeSpan.FromHours(3) + TimeSpan.FromSeconds(30)));
        Assert.False(gone.After(answers: true, TimeSpan.FromHours(4)).IsAway(TimeSpan.FromDays(1)));

        var known = new LedgerWatch(true, TimeSpan.FromHours(1));
        Assert.True(known.After(answers: false, TimeSpan.FromHours(2)).IsAway(TimeSpan.FromHours(2)));
    }

    [Fact]
    public void What_a_ledger_says_now_counts_before_what_one_said_once()
    {
        var (old, other) = (Standing(1, TrustTier.Excluded), Standing(2, TrustTier.Excluded));
        var said = Standing(1, TrustTier.Full) with { Revision = 1 };
        var state = new ClusterViewState(Ledger).WithKept(new[] { old, other }.ToImmutableDictionary(standing => standing.Device));
        Assert.True(state.View().IsExcluded(old.Device));
        var view = state.WithStandings([new(said.Device.Value, said)]).View();
        Assert.Equal((TrustTier.Full, TrustTier.Excluded), (view.TierOf(old.Device), view.TierOf(other.Device)));
        Assert.True(view.MayTakeNew(new DeviceId(new string('f', 32))));
        view = state.WithLedgerAway(true).View();
        Assert.True(view.MayTakeNew(other.Device));
        Assert.False(view.MayTakeNew(new DeviceId(new string('f', 32))));
    }

    [Fact]
    public void What_a_node_has_proven_itself_counts_where_it_is_worse_than_what_a_ledger_says()
    {
        var (full, banned, stranger) = (Standing(1, TrustTier.Full), Standing(2, TrustTier.Excluded), Standing(3, TrustTier.Full).Device);
        var held = new Dictionary<DeviceId, HeldStanding>
        {
            [full.Device] = new(TrustTier.Excluded, TrustTier.Probation, 20.7),
            [banned.Device] = new(TrustTier.Quarantined, TrustTier.Quarantined, 6.9),
            [stranger] = new(TrustTier.Quarantined, TrustTier.Probation, 6.9),
        };
        var state = new ClusterViewState(Ledger).WithStandings([new(full.Device.Value, full), new(banned.Device.Value, banned)]).WithHeld(held.ToImmutableDictionary());
        var view = state.View();
        Assert.Equal([TrustTier.Excluded, TrustTier.Excluded, TrustTier.Quarantined], new[] { full.Device, banned.Device, stranger }.Select(view.TierOf));
        Assert.Equal((TrustTier.Quarantined, 20.7), (view.Standings[banned.Device].Verifier, view.Standings[full.Device].Score));

        // Nobody becomes known by what speaks against him.
        view = state.WithLedgerAway(true).View();
        Assert.Equal([true, true, false], new[] { full.Device, banned.Device, stranger }.Select(view.MayTakeNew));
        Assert.Equal(TrustTier.Full, state.WithHeld(ImmutableDictionary<DeviceId, HeldStanding>.Empty).View().TierOf(full.Device));
    }

    [Fact]
    public async Task Whoever_was_excluded_is_so_for_a_node_that_starts_while_no_ledger_answers()
    {
        await using (var keeper = await TestNode.StartLedgerNodeAsync(null, Path.Combine(_root, "ledger"), null, ClusterNames.Anchor))
        {
            var views = Watch(keeper, _root, TimeProvider.System);
            var ledger = await keeper.StartLedgerAsync();
            for (var i = 1; i <= 3; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, i, CheckOutcome.Hard)), TestNode.Patience);
            }

            await views.FirstAsync<ClusterView>(view => view.IsExcluded(LedgerSamples.Device));
            using var patience = new CancellationTokenSource(TestNode.Patience);
            while (KeptStandings.Read(_root, TimeProvider.System.GetUtcNow()).Standings.GetValueOrDefault(LedgerSamples.Device)?.Server != TrustTier.Excluded)
            {
                await Task.Delay(20, patience.Token);
            }
        }

        await using var alone = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway);
        var again = Watch(alone, _root, TimeProvider.System);
        var first = await again.FirstAsync<ClusterView>(_ => true);
        Assert.True(first.IsExcluded(LedgerSamples.Device));
        Assert.False(first.Standings[LedgerSamples.Device].Exclusion!.IsFaulty);
    }

    [Fact]
    public async Task Half_a_minute_after_the_last_ledger_new_devices_get_no_sessions_until_one_answers_again()
    {
        var time = new ManualTime();
        await using var gateway = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway);
        var views = Watch(gateway, null, time);
        await using (var keeper = await TestNode.StartLedgerNodeAsync(gateway, Path.Combine(_root, "one"), null))
        {
            await keeper.StartLedgerAsync();
            await views.FirstAsync<ClusterView>(view => view.IsReachable(keeper.Address));
            await keeper.Cluster.LeaveAsync().WaitAsync(TestNode.Patience);
        }

        Assert.False((await views.FirstAsync<ClusterView>(view => view.Members.Length == 1)).IsLedgerAway);
        time.Move(LedgerWatch.Patience);
        var (host, _) = gateway.Collect();
        gateway.Write(FactKeys.Devices, LedgerSamples.Device.Value, Facts.Device('d', gateway.Address, host));
        var away = await views.FirstAsync<ClusterView>(view => view.Devices.Length == 1);
        Assert.Equal((true, false), (away.IsLedgerAway, away.MayTakeNew(LedgerSamples.Device)));

        await using var next = await TestNode.StartLedgerNodeAsync(gateway, Path.Combine(_root, "two"), null);
        await next.StartLedgerAsync();
        Assert.True((await views.FirstAsync<ClusterView>(view => !view.IsLedgerAway)).MayTakeNew(LedgerSamples.Device));
    }

    private static ChannelReader<object> Watch(TestNode node, string? folder, TimeProvider time)
    {
        var (subscriber, views) = node.Collect();
        node.System.StartClusterView(folder, time).Tell(new SubscribeView(subscriber));
        return views;
    }

    private static DeviceStanding Standing(int number, TrustTier tier) => new(new DeviceId($"{number:x32}"), tier, TrustTier.Probation, 20, 9, Ledger) { Preference = 0.25 };
}
