using System.Threading.Channels;
using Akka.Actor;
using Akka.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>The reporter, with the test in the ledger's place.</summary>
public sealed class WorkReporterTests : IAsyncLifetime
{
    private static readonly DeviceId Other = new(new string('e', 32));

    private readonly ActorSystem _system = ActorSystem.Create("reporter", ConfigurationFactory.ParseString("akka { loggers = [], stdout-loglevel = OFF }"));
    private readonly Channel<(RecordWork Report, IActorRef Reporter)> _ledger = Channel.CreateUnbounded<(RecordWork, IActorRef)>();

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _system.Terminate();

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
        Assert.False(_ledger.Reader.TryRead(out _));

        // An answer to something else releases nothing.
        reporter.Tell(new WorkRecorded(new ReportId(Guid.NewGuid(), 1), LedgerSamples.Device));
        reporter.Tell(new WorkRecorded(first.Id, first.Device));
        var (second, _) = await NextAsync();
        Assert.Equal((LedgerSamples.Device, 2L, 2), (second.Device, second.Id.Sequence, second.Tokens));
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
    public async Task When_too_many_wait_the_oldest_are_dropped_and_the_numbers_have_no_gap()
    {
        var reporter = Start(TimeSpan.FromSeconds(30));
        for (var tokens = 1; tokens <= WorkReporter.MostWaiting + 11; tokens++)
        {
            reporter.Tell(Work(LedgerSamples.Device, tokens));
        }

        var seen = new List<(long, int)>();
        for (var i = 1; i <= WorkReporter.MostWaiting + 1; i++)
        {
            var (report, sender) = await NextAsync();
            seen.Add((report.Id.Sequence, report.Tokens));
            if (i == 1)
            {
                // Everything else is in the queue before the first answer comes.
                await reporter.Ask<ActorIdentity>(new Identify(1), TestNode.Patience);
            }

            sender.Tell(new WorkRecorded(report.Id, report.Device));
        }

        Assert.Equal(Enumerable.Range(1, WorkReporter.MostWaiting + 1).Select(i => (long)i), seen.Select(report => report.Item1));
        Assert.Equal([1, .. Enumerable.Range(12, WorkReporter.MostWaiting)], seen.Select(report => report.Item2));
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
        var reporter = _system.StartWorkReporter(ledger, TimeProvider.System);
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

    private static WorkReport Work(DeviceId device, int tokens)
        => new(device, new SessionId(Guid.Empty), new ModelId(new string('a', 64)), new LayerRange(0, 2), WorkOutcome.Served, tokens);

    private IActorRef Start(TimeSpan retry)
    {
        var ledger = _system.ActorOf(Props.Create(() => new Ledger(_ledger.Writer)));
        return _system.ActorOf(Props.Create(() => new WorkReporter(ledger, TimeProvider.System, retry, retry * 4)));
    }

    private async Task<(RecordWork Report, IActorRef Reporter)> NextAsync()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        return await _ledger.Reader.ReadAsync(patience.Token);
    }

    private sealed class Ledger : ReceiveActor
    {
        public Ledger(ChannelWriter<(RecordWork, IActorRef)> reports) => Receive<RecordWork>(report => reports.TryWrite((report, Sender)));
    }
}
