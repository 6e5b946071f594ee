using System.Threading.Channels;
using Akka.Actor;
using Akka.Configuration;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>The reporter, with the test in the ledger's place.</summary>
public sealed class WorkReporterTests : IAsyncLifetime
{
    private static readonly DeviceId Other = new(new string('e', 32));

    private readonly ActorSystem _system = ActorSystem.Create(
        "reporter", ConfigurationFactory.ParseString("akka { loggers = [], stdout-loglevel = OFF }").WithFallback(NodeConfiguration.Resource("trust.conf")));

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-outbox-").FullName;
    private readonly Channel<(RecordWork Report, IActorRef Reporter)> _ledger = Channel.CreateUnbounded<(RecordWork, IActorRef)>();
    private OutboxFile? _file;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _system.Terminate();
        if (_file is not null)
        {
            await _file.CloseAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Reports_go_one_at_a_time_for_each_device_numbered_without_gaps()
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        reporter.Tell(Work(LedgerSamples.Device, 1));
        reporter.Tell(Work(LedgerSamples.Device, 2));
        reporter.Tell(Work(Other, 3));
        var (first, _) = await NextAsync();
        var (other, _) = await NextAsync();
        Assert.Equal((LedgerSamples.Device, 1L, 1), (first.Device, first.Id.Sequence, first.Tokens));
        Assert.Equal((Other, 1L, 3), (other.Device, other.Id.Sequence, other.Tokens));
        Assert.Equal(first.Id.Reporter, other.Id.Reporter);
        Assert.All([first, other], report => Assert.True(ReportSigning.IsTrulySigned(report, LedgerSamples.Cluster) && report.Signed!.Reporter == LedgerSamples.Key.Device));
        Assert.False(_ledger.Reader.TryRead(out _));

        // An answer to something else releases nothing.
        reporter.Tell(new WorkRecorded(new ReportId(Guid.NewGuid(), 1), LedgerSamples.Device));
        reporter.Tell(new WorkRecorded(first.Id, first.Device));
        var (second, _) = await NextAsync();
        Assert.Equal((LedgerSamples.Device, 2L, 2), (second.Device, second.Id.Sequence, second.Tokens));
    }

    [Theory]
    [InlineData(CheckOutcome.Passed, TrustRole.Server, 'c', true)]
    [InlineData(CheckOutcome.Hard, TrustRole.Server, 'c', true)]
    [InlineData(CheckOutcome.Soft, TrustRole.Server, 'c', false)]
    [InlineData(CheckOutcome.Hard, TrustRole.Verifier, 'c', false)]
    [InlineData(CheckOutcome.Passed, TrustRole.Server, 'f', false)]
    [InlineData(CheckOutcome.Passed, TrustRole.Server, '0', false)]
    public async Task Whoever_recomputed_and_was_right_gets_a_report_of_its_own(CheckOutcome outcome, TrustRole role, char verifier, bool isPaid)
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        var facts = LedgerSamples.Check(1, 1, outcome, role).Check! with { Verifier = verifier == '0' ? default : verifier == 'f' ? LedgerSamples.Key.Device : new DeviceId(new string(verifier, 32)) };
        var check = Work(LedgerSamples.Device, 16) with { Outcome = WorkOutcome.Checked, Check = facts, Size = new WorkSize(160, 10) };
        reporter.Tell(check);
        reporter.Tell(Work(Other, 1));
        Assert.Equal((LedgerSamples.Device, WorkOutcome.Checked), ((await NextAsync()).Report is var first ? first.Device : default, first.Outcome));
        if (isPaid)
        {
            var paid = (await NextAsync()).Report;
            Assert.Equal((LedgerSamples.Checker, WorkOutcome.Verified, 16, (CheckFacts?)null, 1L), (paid.Device, paid.Outcome, paid.Tokens, paid.Check, paid.Id.Sequence));
            Assert.Equal(new WorkSize(160, 10), paid.Size);
        }

        Assert.Equal(Other, (await NextAsync()).Report.Device);
    }

    [Fact]
    public async Task A_report_is_repeated_as_it_was_until_it_is_recorded()
    {
        var reporter = Start(TimeSpan.FromMilliseconds(10));
        reporter.Tell(Work(LedgerSamples.Device, 1));
        var (first, _) = await NextAsync();
        Assert.Equal(first, (await NextAsync()).Report);
        Assert.Equal(first, (await NextAsync()).Report);
        reporter.Tell(new WorkRecorded(first.Id, first.Device));
        reporter.Tell(Work(LedgerSamples.Device, 2));
        while (true)
        {
            var (report, _) = await NextAsync();
            if (report != first)
            {
                Assert.Equal(2, report.Id.Sequence);
                return;
            }
        }
    }

    [Fact]
    public async Task When_too_many_wait_newer_ones_are_refused_and_the_oldest_arrive()
    {
        var reporter = Start(TimeSpan.FromSeconds(30), new OutboxLimits(20, 1 << 20));
        for (var tokens = 1; tokens <= 15; tokens++)
        {
            reporter.Tell(Work(LedgerSamples.Device, tokens));
        }

        // Half of the room is everybody else's.
        for (var tokens = 1; tokens <= 15; tokens++)
        {
            reporter.Tell(Work(Other, 100 + tokens));
        }

        await reporter.Ask<ActorIdentity>(new Identify(1), TestNode.Patience);
        var seen = new List<(long Sequence, int Tokens)>();
        for (var i = 0; i < 20; i++)
        {
            var (report, sender) = await NextAsync();
            seen.Add((report.Id.Sequence, report.Tokens));
            sender.Tell(new WorkRecorded(report.Id, report.Device));
        }

        Assert.Equal(Enumerable.Range(1, 10).Select(i => ((long)i, i)), seen.Where(report => report.Tokens < 100));
        Assert.Equal(Enumerable.Range(1, 10).Select(i => ((long)i, 100 + i)), seen.Where(report => report.Tokens > 100));
        Assert.True(await reporter.FlushReportsAsync(TestNode.Patience));
        Assert.False(_ledger.Reader.TryRead(out _));
    }

    [Fact]
    public async Task What_waits_outlives_the_reporter_and_sets_out_again_under_the_same_ids_before_anything_newer()
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        reporter.Tell(Work(LedgerSamples.Device, 1));
        var (first, sender) = await NextAsync();
        reporter.Tell(Work(LedgerSamples.Device, 2));
        reporter.Tell(Work(Other, 3));
        reporter.Tell(Work(LedgerSamples.Device, 4));
        sender.Tell(new WorkRecorded(first.Id, first.Device));
        var sent = new[] { (await NextAsync()).Report, (await NextAsync()).Report };
        await EndAsync(reporter);

        reporter = Start(TimeSpan.FromSeconds(30));
        reporter.Tell(Work(LedgerSamples.Device, 5));
        var again = new[] { (await NextAsync()).Report, (await NextAsync()).Report };
        Assert.Equal(sent.OrderBy(report => report.Tokens), again.OrderBy(report => report.Tokens));
        reporter.Tell(new WorkRecorded(sent[1].Id, sent[1].Device));
        reporter.Tell(new WorkRecorded(sent[0].Id, sent[0].Device));
        var (fourth, _) = await NextAsync();
        Assert.Equal((4, first.Id.Reporter), (fourth.Tokens, fourth.Id.Reporter));
        reporter.Tell(new WorkRecorded(fourth.Id, fourth.Device));
        var (fifth, _) = await NextAsync();
        Assert.Equal((5, 1L), (fifth.Tokens, fifth.Id.Sequence));
        Assert.NotEqual(first.Id.Reporter, fifth.Id.Reporter);
        reporter.Tell(new WorkRecorded(fifth.Id, fifth.Device));
        Assert.True(await reporter.FlushReportsAsync(TestNode.Patience));
        await EndAsync(reporter);

        Assert.Empty(OutboxFile.Open(Database, Limits).Waiting);
    }

    [Fact]
    public async Task Disk_or_no_disk_reports_reach_the_ledger()
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        await _file!.CloseAsync();
        reporter.Tell(Work(LedgerSamples.Device, 1));
        reporter.Tell(Work(LedgerSamples.Device, 2));
        for (var i = 1; i <= 2; i++)
        {
            var (report, sender) = await NextAsync();
            Assert.Equal(i, report.Tokens);
            sender.Tell(new WorkRecorded(report.Id, report.Device));
        }

        Assert.True(await reporter.FlushReportsAsync(TestNode.Patience));
    }

    [Fact]
    public async Task A_report_without_sense_is_not_sent()
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        reporter.Tell(Work(LedgerSamples.Device, -1));
        reporter.Tell(Work(LedgerSamples.Device, 1) with { Range = new LayerRange(5, 5) });
        reporter.Tell(Work(LedgerSamples.Device, 7));
        Assert.Equal(7, (await NextAsync()).Report.Tokens);
    }

    [Fact]
    public async Task A_flush_ends_when_the_ledger_has_every_report()
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        Assert.True(await reporter.FlushReportsAsync(TestNode.Patience));
        reporter.Tell(Work(LedgerSamples.Device, 1));
        reporter.Tell(Work(LedgerSamples.Device, 2));
        reporter.Tell(Work(Other, 3));
        var flushed = reporter.FlushReportsAsync(TestNode.Patience);
        for (var i = 0; i < 3; i++)
        {
            var (report, sender) = await NextAsync();
            Assert.False(flushed.IsCompleted);
            sender.Tell(new WorkRecorded(report.Id, report.Device));
        }

        Assert.True(await flushed);
    }

    [Fact]
    public async Task A_flush_waits_no_longer_than_it_may()
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        reporter.Tell(Work(LedgerSamples.Device, 1));
        Assert.False(await reporter.FlushReportsAsync(TimeSpan.FromMilliseconds(50)));
    }

    [Fact]
    public async Task A_node_that_leaves_in_order_waits_for_its_reports()
    {
        var ledger = _system.ActorOf(Props.Create(() => new Ledger(_ledger.Writer)));
        var reporter = await _system.StartWorkReporterAsync(ledger, Database, Limits, TimeProvider.System, LedgerSamples.Key);
        reporter.Tell(Work(LedgerSamples.Device, 1));
        reporter.Tell(Work(LedgerSamples.Device, 2));
        var (first, sender) = await NextAsync();
        var leaving = CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClrExitReason.Instance);

        // The second report sets out while the node leaves.
        sender.Tell(new WorkRecorded(first.Id, first.Device));
        var (second, _) = await NextAsync();
        Assert.Equal(2, second.Tokens);
        Assert.False(leaving.IsCompleted);
        sender.Tell(new WorkRecorded(second.Id, second.Device));
        await leaving.WaitAsync(TestNode.Patience);
    }

    /// <summary>A gateway without a ledger that finds a liar out, dies, and starts again: it has not forgotten, until the ledger has everything.</summary>
    [Fact]
    public async Task What_was_proven_of_a_device_holds_over_restarts_until_the_ledger_has_it()
    {
        var held = Channel.CreateUnbounded<object>();
        var view = _system.ActorOf(Props.Create(() => new View(held.Writer)));
        var reporter = Start(TimeSpan.FromMilliseconds(10), view: view);
        var failure = LedgerSamples.Check(1, 1, CheckOutcome.Hard).Check! with { Verifier = default };
        for (var tokens = 1; tokens <= 3; tokens++)
        {
            reporter.Tell(Work(LedgerSamples.Device, tokens) with { Outcome = WorkOutcome.Checked, Check = failure });
        }

        await held.Reader.FirstAsync<HeldStandings>(now => now.Devices.TryGetValue(LedgerSamples.Device, out var one) && one.Server == TrustTier.Excluded);
        reporter.Tell(new WorkReports([Work(Other, 1)]));
        await EndAsync(reporter);
        while (held.Reader.TryRead(out _))
        {
        }

        reporter = Start(TimeSpan.FromMilliseconds(10), view: view);
        var first = await held.Reader.FirstAsync<HeldStandings>(_ => true);
        Assert.Equal([KeyValuePair.Create(LedgerSamples.Device, new HeldStanding(TrustTier.Excluded, TrustTier.Probation, 3 * 6.908))], first.Devices);

        var answered = new HashSet<ReportId>();
        while (answered.Count < 3)
        {
            // Also what was answered before: that may have been the first reporter's, which did not live to hear it.
            var (report, sender) = await NextAsync();
            if (report.Device == LedgerSamples.Device)
            {
                answered.Add(report.Id);
                sender.Tell(new WorkRecorded(report.Id, report.Device));
            }
        }

        await held.Reader.FirstAsync<HeldStandings>(now => now.Devices.IsEmpty);
    }

    private static WorkReport Work(DeviceId device, int tokens)
        => new(device, new SessionId(Guid.Empty), new ModelId(new string('a', 64)), new LayerRange(0, 2), WorkOutcome.Served, tokens);

    private string Database => Path.Combine(_folder, "outbox.db");

    private static OutboxLimits Limits { get; } = new(1000, 1 << 20);

    private IActorRef Start(TimeSpan retry, OutboxLimits? limits = null, IActorRef? view = null)
    {
        var ledger = _system.ActorOf(Props.Create(() => new Ledger(_ledger.Writer)));
        var (file, bounds) = (OutboxFile.Open(Database, limits ?? Limits), limits ?? Limits);
        _file = file;
        return _system.ActorOf(Props.Create(() => new WorkReporter(ledger, file, bounds, TimeProvider.System, retry, retry * 4, LedgerSamples.Key, LedgerSamples.Cluster, view, null)));
    }

    private async Task EndAsync(IActorRef reporter)
    {
        await reporter.GracefulStop(TestNode.Patience);
        await _file!.CloseAsync();
        _file = null;
    }

    private async Task<(RecordWork Report, IActorRef Reporter)> NextAsync()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        return await _ledger.Reader.ReadAsync(patience.Token);
    }

    private sealed class View : ReceiveActor
    {
        public View(ChannelWriter<object> held) => Receive<HeldStandings>(standings => held.TryWrite(standings));
    }

    private sealed class Ledger : ReceiveActor
    {
        public Ledger(ChannelWriter<(RecordWork, IActorRef)> reports) => Receive<RecordWork>(report => reports.TryWrite((report, Sender)));
    }
}
