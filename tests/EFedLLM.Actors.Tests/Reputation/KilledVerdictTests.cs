using System.Collections.Immutable;
using Akka.Actor;
using Akka.Configuration;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>Verdicts on their way from the gateway's outbox to the ledger's journal, and death at each step of it. Both are files.</summary>
public sealed class KilledVerdictTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int SessionReports = 3;

    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-killed-").FullName;
    private readonly ActorSystem _system = ActorSystem.Create("killed", ConfigurationFactory.ParseString("akka { loggers = [], stdout-loglevel = OFF }"));

    /// <summary>How far the verdicts are when somebody dies.</summary>
    public enum Step
    {
        /// <summary>In the outbox; nothing has reached the ledger.</summary>
        InOutbox,

        /// <summary>The ledger has got the first, and nothing is in its journal.</summary>
        Delivered,

        /// <summary>The ledger has the first in its journal; the gateway has not heard of it.</summary>
        Recorded,

        /// <summary>The gateway has heard that all are.</summary>
        Acknowledged,
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _system.Terminate();
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    [Theory]
    [InlineData(Step.InOutbox, true, false)]
    [InlineData(Step.Delivered, false, true)]
    [InlineData(Step.Delivered, true, true)]
    [InlineData(Step.Recorded, true, false)]
    [InlineData(Step.Recorded, false, true)]
    [InlineData(Step.Recorded, true, true)]
    [InlineData(Step.Acknowledged, true, true)]
    public async Task A_verdict_counts_once_whoever_dies_at_whatever_step(Step step, bool gatewayDies, bool ledgerDies)
    {
        var node = await StartLedgerAsync("first");
        try
        {
            await using var gateway = new KilledGateway(_system, _root);
            var ledger = await node.StartLedgerAsync();
            gateway.Connect(ledger, message => step == Step.InOutbox || (step != Step.Acknowledged && message is WorkRecorded));
            gateway.Start();
            if (step == Step.Delivered)
            {
                KeepLedger();
            }

            await gateway.ReportAsync(Session(1));
            if (step is Step.Delivered or Step.Recorded)
            {
                await gateway.SeenAsync<WorkRecorded>();
            }
            else if (step == Step.Acknowledged)
            {
                Assert.True(await gateway.FlushAsync());
            }

            if (gatewayDies)
            {
                await gateway.KillAsync();
            }

            if (ledgerDies)
            {
                if (step != Step.Delivered)
                {
                    KeepLedger();
                }

                await node.DisposeAsync();
                node = await StartLedgerAsync("second");
                ledger = await node.StartLedgerAsync();
            }

            gateway.Connect(ledger, _ => false);
            if (gatewayDies)
            {
                // An answer that has come is forgotten on disk as soon as it can be, and asked for again where it was not.
                Assert.InRange(gateway.Start(), 0, step == Step.Acknowledged ? 1 : SessionReports);
            }

            Assert.True(await gateway.FlushAsync());
            await IsCountedAsync(ledger, 1);
            await gateway.ReportAsync(Session(2));
            Assert.True(await gateway.FlushAsync());
            await IsCountedAsync(ledger, 2);
        }
        finally
        {
            await node.DisposeAsync();
        }
    }

    [Fact]
    public async Task Of_a_session_whose_gateway_dies_before_its_verdicts_are_on_disk_nothing_is_counted_anywhere()
    {
        await using var gateway = new KilledGateway(_system, _root);
        var journal = new List<WorkCounted>();
        gateway.Connect(StartJournal(journal), _ => false);
        gateway.Start();
        await gateway.ReportAsync(Session(1));
        Assert.True(await gateway.FlushAsync());

        // Whoever has the file's lock holds up the write.
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(_root, "outbox-0.db")};Pooling=false");
        await connection.OpenAsync();
        await using (await connection.BeginTransactionAsync())
        {
            var kept = gateway.ReportAsync(Session(2));
            await gateway.LookedAsync();
            await gateway.KillAsync();
            Assert.False(kept.IsCompleted);
        }

        // What the ledger has may be in the file still.
        gateway.Start();
        await gateway.ReportAsync(Session(3));
        Assert.True(await gateway.FlushAsync());
        Assert.Equal([1, 1, 1, 3, 3, 3], journal.Select(Number).Order());
    }

    [Fact]
    public async Task Whatever_dies_and_gets_lost_each_session_counts_whole_and_once_or_was_never_on_disk()
    {
        const int Schedules = 60;
        var seed = Environment.TickCount;
        var (confirmed, counted, deaths) = (0, 0, 0);
        for (var schedule = 0; schedule < Schedules; schedule++)
        {
            output.WriteLine($"seed {seed + schedule}");
            var (done, all, dead) = await RunAsync(new Random(seed + schedule), Directory.CreateDirectory(Path.Combine(_root, $"{schedule}")).FullName);
            (confirmed, counted, deaths) = (confirmed + done, counted + all, deaths + dead);
        }

        output.WriteLine($"{confirmed} sessions were on disk when their gateway died or the schedule ended, {counted} counted, {deaths} deaths");
        Assert.InRange(confirmed, Schedules, counted);
        Assert.True(deaths > 2 * Schedules, $"{deaths} deaths");
    }

    private async Task<(int Confirmed, int Counted, int Deaths)> RunAsync(Random random, string folder)
    {
        const int Steps = 16;
        await using var gateway = new KilledGateway(_system, folder);
        var journal = new List<WorkCounted>();
        var ledger = StartJournal(journal);
        var fate = new Random(random.Next());
        gateway.Connect(ledger, _ => fate.Next(3) == 0);
        gateway.Start();
        var (sessions, deaths) = (0, 0);
        var confirmed = new HashSet<int>();
        var open = new List<(int Session, Task Kept)>();
        for (var step = 0; step < Steps; step++)
        {
            switch (random.Next(5))
            {
                case 0 or 1:
                    sessions++;
                    open.Add((sessions, gateway.ReportAsync(Session(sessions))));
                    break;
                case 2:
                    await Task.WhenAll(open.Select(each => each.Kept));
                    break;
                case 3:
                    deaths++;
                    confirmed.UnionWith(open.Where(each => each.Kept.IsCompletedSuccessfully).Select(each => each.Session));
                    open.Clear();
                    await gateway.KillAsync();
                    gateway.Start();
                    break;
                default:
                    deaths++;
                    await ledger.Ask<ActorIdentity>(new Identify(step), TestNode.Patience);
                    await ledger.GracefulStop(TestNode.Patience);
                    ledger = StartJournal(journal);
                    gateway.Connect(ledger, _ => fate.Next(3) == 0);
                    break;
            }
        }

        await Task.WhenAll(open.Select(each => each.Kept));
        confirmed.UnionWith(open.Select(each => each.Session));
        gateway.Connect(ledger, _ => false);
        Assert.True(await gateway.FlushAsync());
        var counted = journal.GroupBy(Number).ToDictionary(session => session.Key, session => session.Count());
        Assert.All(counted, session => Assert.Equal(SessionReports, session.Value));
        Assert.Equal(journal.Count, journal.Select(entry => entry.Id).Zip(journal, (id, entry) => (id, entry.Device)).Distinct().Count());
        Assert.Subset(counted.Keys.ToHashSet(), confirmed);
        await ledger.GracefulStop(TestNode.Patience);
        return (confirmed.Count, counted.Count, deaths);
    }

    /// <summary>What a session comes to: its work, and a check of it by somebody else, who is paid for it by an entry of his own.</summary>
    private static ImmutableArray<WorkReport> Session(int number)
    {
        var work = new WorkReport(LedgerSamples.Device, new SessionId(new Guid(number, 0, 0, new byte[8])), new ModelId(new string('a', 64)), new LayerRange(0, 8), WorkOutcome.Served, 16);
        return [work, work with { Outcome = WorkOutcome.Checked, Check = LedgerSamples.Check(1, 1, CheckOutcome.Passed).Check }];
    }

    private static int Number(WorkCounted entry) => BitConverter.ToInt32(entry.Session.Value.ToByteArray());

    private static async Task IsCountedAsync(IActorRef ledger, int sessions)
    {
        var device = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
        Assert.Equal((sessions, sessions, 16L * sessions, 2 * sessions), (device.Sessions, device.Server.Passed, device.Server.PassedTokens, device.Recent.Length));
        var checker = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Checker), TestNode.Patience);
        Assert.Equal(Enumerable.Repeat(WorkOutcome.Verified, sessions), checker.Recent.Select(entry => entry.Outcome));
    }

    private Task<TestNode> StartLedgerAsync(string name) => TestNode.StartLedgerNodeAsync(null, Path.Combine(_root, name), null, ClusterNames.Anchor);

    private void KeepLedger()
    {
        Directory.CreateDirectory(Path.Combine(_root, "second"));
        KilledGateway.Copy(Path.Combine(_root, "first", "ledger.db"), Path.Combine(_root, "second", "ledger.db"));
    }

    private IActorRef StartJournal(List<WorkCounted> entries) => _system.ActorOf(Props.Create(() => new Journal(entries)));

    /// <summary>In the ledger's place: it writes as that does, into a list that outlives it.</summary>
    private sealed class Journal : ReceiveActor
    {
        private readonly Dictionary<DeviceId, ReputationState> _states;

        public Journal(List<WorkCounted> entries)
        {
            _states = entries.GroupBy(entry => entry.Device).ToDictionary(device => device.Key, device => device.Aggregate(ReputationState.Empty(device.Key), (state, entry) => state.Apply(entry)));
            Receive<RecordWork>(report =>
            {
                var state = _states.GetValueOrDefault(report.Device) ?? ReputationState.Empty(report.Device);
                if (!state.Knows(report.Id))
                {
                    entries.Add(LedgerSamples.Count(report, LedgerSamples.Now));
                    _states[report.Device] = state.Apply(entries[^1]);
                }

                Sender.Tell(new WorkRecorded(report.Id, report.Device));
            });
        }
    }
}
