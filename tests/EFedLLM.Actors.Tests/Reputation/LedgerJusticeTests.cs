using System.Threading.Channels;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Membership;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support.Databases;
using Microsoft.Data.Sqlite;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>Exclusion, return, appeal and what finders earn, on real entities and journals.</summary>
[Collection(PostgresTests.Name)]
public sealed class LedgerJusticeTests(PostgresFixture fixture) : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-justice-").FullName;
    private readonly ManualTime _time = new();

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public Task A_ban_ends_by_the_ledgers_clock_on_every_node_and_the_ledger_writes_it_down_in_a_file() => BanAsync(null);

    [PostgresFact]
    public async Task A_ban_ends_by_the_ledgers_clock_on_every_node_and_the_ledger_writes_it_down_in_a_database()
        => await BanAsync(await (await fixture.Server).NewDatabaseAsync());

    [Fact]
    public Task A_verdict_that_is_taken_back_frees_the_device_on_every_node_once_whatever_ends_in_between_in_a_file() => StrikeAsync(null);

    [PostgresFact]
    public async Task A_verdict_that_is_taken_back_frees_the_device_on_every_node_once_whatever_ends_in_between_in_a_database()
        => await StrikeAsync(await (await fixture.Server).NewDatabaseAsync());

    [Fact]
    public Task What_a_finder_earns_arrives_once_though_the_ledger_ends_before_it_knows_that_it_arrived_in_a_file() => FinderAsync(null);

    [PostgresFact]
    public async Task What_a_finder_earns_arrives_once_though_the_ledger_ends_before_it_knows_that_it_arrived_in_a_database()
        => await FinderAsync(await (await fixture.Server).NewDatabaseAsync());

    [Fact]
    public async Task A_wish_to_take_back_what_is_no_verdict_changes_nothing()
    {
        await using var node = await StartAsync(null);
        var ledger = await LedgerAsync(node);
        await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Report(1)), TestNode.Patience);
        var before = await RecordAsync(ledger);
        ledger.Tell(new StrikeVerdict(LedgerSamples.Device, VerdictId.Of(Fail(2).Id), new string('x', ProtocolLimits.ReasonCharacters + 1)));
        var answer = await ledger.Ask<StrikeAnswer>(new StrikeVerdict(LedgerSamples.Device, VerdictId.Of(Fail(2).Id), "no"), TestNode.Patience);
        Assert.Equal(new StrikeAnswer(LedgerSamples.Device, VerdictId.Of(Fail(2).Id), StrikeResult.Unknown, TrustTier.Probation, TrustTier.Probation), answer);
        Assert.Equal(before, await RecordAsync(ledger));
    }

    private async Task BanAsync(string? database)
    {
        await using (var node = await StartAsync(database))
        {
            var views = Watch(node);
            var ledger = await LedgerAsync(node);
            for (var i = 1; i <= 3; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Fail(i)), TestNode.Patience);
            }

            var until = (await views.FirstAsync<ClusterView>(view => view.IsExcluded(LedgerSamples.Device))).Standings[LedgerSamples.Device].Exclusion;
            Assert.Equal((false, _time.GetUtcNow().AddDays(30)), (until!.IsFaulty, until.Until));
            _time.Move(TimeSpan.FromDays(30) - TimeSpan.FromTicks(1));
            Assert.Equal(TrustTier.Excluded, (await RecordAsync(ledger)).ServerTier);

            // Nobody asks now: the ledger itself looks who is back.
            _time.Move(TimeSpan.FromTicks(1));
            await views.FirstAsync<ClusterView>(view => view.TierOf(LedgerSamples.Device) == TrustTier.Quarantined);
            var back = (await RecordAsync(ledger)).Server;
            Assert.Equal((9.21, 4096L, null, 1), (back.Score, back.UnpaidTokens, back.ExcludedAt, back.Bans));
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Fail(4)), TestNode.Patience);
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Fail(5)), TestNode.Patience);

            // A verifier comes back the same way, though no route goes by that.
            for (var i = 6; i <= 8; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Verifier(i)), TestNode.Patience);
            }

            await views.FirstAsync<ClusterView>(view => view.Standings.GetValueOrDefault(LedgerSamples.Checker)?.Verifier == TrustTier.Excluded);
            _time.Move(TimeSpan.FromDays(30));
            await views.FirstAsync<ClusterView>(view => view.Standings.GetValueOrDefault(LedgerSamples.Checker)?.Verifier == TrustTier.Quarantined);
        }

        await using (var node = await StartAsync(database))
        {
            var record = await RecordAsync(await LedgerAsync(node));
            Assert.Equal((2, _time.GetUtcNow().AddDays(30)), (record.Server.Bans, record.Server.Exclusion!.Until));
        }
    }

    private async Task StrikeAsync(string? database)
    {
        var strike = new StrikeVerdict(LedgerSamples.Device, VerdictId.Of(Fail(2).Id), "it does not replay");
        DeviceRecord before;
        await using (var node = await StartAsync(database))
        {
            var views = Watch(node);
            var ledger = await LedgerAsync(node);
            for (var i = 1; i <= 3; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Fail(i)), TestNode.Patience);
            }

            await views.FirstAsync<ClusterView>(view => view.IsExcluded(LedgerSamples.Device));
            Assert.Equal(VerdictId.Of(Fail(2).Id), (await RecordAsync(ledger)).Recent[1].Verdict);
            var answer = await ledger.Ask<StrikeAnswer>(strike, TestNode.Patience);
            Assert.Equal((StrikeResult.Struck, TrustTier.Quarantined, TrustTier.Probation), (answer.Result, answer.Server, answer.Verifier));
            await views.FirstAsync<ClusterView>(view => view.TierOf(LedgerSamples.Device) == TrustTier.Quarantined);
            before = await RecordAsync(ledger);
            Assert.Equal((2L, "it does not replay"), (before.Server.Hard, before.Recent[1].Struck));
        }

        await using (var node = await StartAsync(database))
        {
            var ledger = await LedgerAsync(node);
            Assert.Equal(StrikeResult.Struck, (await ledger.Ask<StrikeAnswer>(strike, TestNode.Patience)).Result);
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Fail(2)), TestNode.Patience);
            Assert.Equal(before, await RecordAsync(ledger));
        }
    }

    private async Task FinderAsync(string? database)
    {
        await using (var node = await StartAsync(database))
        {
            var ledger = await LedgerAsync(node);

            // Enough checks for a full standing, so that there is something to take.
            for (var i = 1; i <= 110; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(2, i, CheckOutcome.Passed) with { At = _time.GetUtcNow() }), TestNode.Patience);
            }

            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Report(1)), TestNode.Patience);
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Fail(2)), TestNode.Patience);
            var found = await UntilAsync(ledger, LedgerSamples.Checker, record => record.Recent.Length > 0);
            Assert.Equal((WorkOutcome.Found, 256.0, 256.0), (found.Recent[0].Outcome, found.Reward, found.Unvested));
            Assert.Equal(512, (await RecordAsync(ledger)).Slashed);

            // What is repeated, as when its answer was lost, counts no second time.
            var again = new RecordWork(
                new ReportId(Guid.ParseExact(LedgerSamples.Device.Value, "n"), 1), LedgerSamples.Checker, Fail(2).Session, Fail(2).Model, Fail(2).Range, WorkOutcome.Found, 0, _time.GetUtcNow())
            {
                Amount = 256,
            };
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(again), TestNode.Patience);
            Assert.Equal(found, await RecordAsync(ledger, LedgerSamples.Checker));
            _time.Move(TimeSpan.FromHours(25));
            Assert.Equal(256, (await RecordAsync(ledger, LedgerSamples.Checker)).Vested);
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(Fail(3)), TestNode.Patience);
        }

        await using (var node = await StartAsync(database))
        {
            var ledger = await LedgerAsync(node);
            await RecordAsync(ledger);
            var found = await UntilAsync(ledger, LedgerSamples.Checker, record => record.Recent.Length == 2);
            Assert.Equal(256 + 512, found.Reward);
            Assert.Equal((256.0, 512.0), (found.Vested, found.Unvested));
        }
    }

    private RecordWork Report(long sequence)
        => LedgerSamples.Report(1, sequence, 3200) with { Size = new WorkSize(3200e9, 1e9), At = _time.GetUtcNow() };

    private RecordWork Fail(long sequence) => LedgerSamples.Check(1, sequence, CheckOutcome.Hard) with { Size = new WorkSize(16e9, 1e9), At = _time.GetUtcNow() };

    private RecordWork Verifier(long sequence) => Fail(sequence) with
    {
        Device = LedgerSamples.Checker,
        Check = Fail(sequence).Check! with { Role = TrustRole.Verifier, Verifier = LedgerSamples.Device },
    };

    private static ChannelReader<object> Watch(TestNode node)
    {
        var (subscriber, views) = node.Collect();
        node.System.StartClusterView().Tell(new SubscribeView(subscriber));
        return views;
    }

    private static async Task<DeviceRecord> UntilAsync(IActorRef ledger, DeviceId device, Func<DeviceRecord, bool> fits)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (true)
        {
            var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(device), patience.Token);
            if (fits(record))
            {
                return record;
            }
        }
    }

    private static Task<DeviceRecord> RecordAsync(IActorRef ledger, DeviceId? device = null)
        => ledger.Ask<DeviceRecord>(new GetDeviceRecord(device ?? LedgerSamples.Device), TestNode.Patience);

    private Task<IActorRef> LedgerAsync(TestNode node) => node.System.StartLedgerAsync(node.Key, _time, CancellationToken.None).WaitAsync(TestNode.Patience);

    private Task<TestNode> StartAsync(string? database) => TestNode.StartLedgerNodeAsync(null, Path.Combine(_root, "data"), database, ClusterNames.Anchor);
}
