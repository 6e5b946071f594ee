using Akka;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Brings a node's <see cref="WorkReport"/>s to the ledger. One report of a device is under way at a time and is repeated until the ledger
/// has it on disk; the others wait. A report gets its number when it sets out, so that one that is dropped while it waits leaves no gap.
/// The ledger knows a number again, so each report counts once, however often it was sent. A node that ends waits a while for its reports to be recorded; what waits even then is lost.
/// </summary>
internal sealed class WorkReporter : ReceiveActor, IWithTimers
{
    /// <summary>Most reports that wait for one device; the oldest is dropped for one more.</summary>
    public const int MostWaiting = 1000;

    private readonly Guid _reporter = Guid.NewGuid();
    private readonly Dictionary<DeviceId, Line> _lines = [];
    private readonly List<IActorRef> _flushing = [];
    private readonly IActorRef _ledger;
    private readonly TimeProvider _time;
    private readonly TimeSpan _firstRetry;
    private readonly TimeSpan _lastRetry;
    private readonly ILoggingAdapter _log = Context.GetLogger();

    /// <summary>To <paramref name="ledger"/>; repeats after <paramref name="firstRetry"/>, and each time after twice as long, up to <paramref name="lastRetry"/>.</summary>
    public WorkReporter(IActorRef ledger, TimeProvider time, TimeSpan firstRetry, TimeSpan lastRetry)
    {
        (_ledger, _time, _firstRetry, _lastRetry) = (ledger, time, firstRetry, lastRetry);
        Receive<WorkReport>(Take);
        Receive<WorkRecorded>(recorded =>
        {
            if (_lines.TryGetValue(recorded.Device, out var line) && line.UnderWay?.Id == recorded.Id)
            {
                line.UnderWay = null;
                Timers.Cancel(recorded.Device);
                SendNext(line);
                AnswerFlushing();
            }
        });
        Receive<FlushReports>(_ =>
        {
            _flushing.Add(Sender);
            AnswerFlushing();
        });
        Receive<Retry>(retry =>
        {
            if (_lines[retry.Device] is { UnderWay: { } report } line)
            {
                line.Delay = line.Delay * 2 < _lastRetry ? line.Delay * 2 : _lastRetry;
                Send(line, report);
            }
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    private void Take(WorkReport report)
    {
        if (WorkRules.Problem(report.Range, report.Outcome, report.Tokens) is { } problem)
        {
            _log.Error("A report on device {0} is not sent to the ledger: {1}.", report.Device, problem);
            return;
        }

        if (!_lines.TryGetValue(report.Device, out var line))
        {
            _lines.Add(report.Device, line = new Line());
        }

        if (line.Waiting.Count == MostWaiting)
        {
            line.Waiting.Dequeue();
            if (line.Dropped++ % MostWaiting == 0)
            {
                _log.Warning("The ledger does not answer: {0} reports on device {1} wait, and {2} of the oldest were dropped.", MostWaiting, report.Device, line.Dropped);
            }
        }

        line.Waiting.Enqueue((report, _time.GetUtcNow()));
        SendNext(line);
    }

    private void SendNext(Line line)
    {
        if (line.UnderWay is null && line.Waiting.TryDequeue(out var next))
        {
            var (report, at) = next;
            line.UnderWay = new RecordWork(
                new ReportId(_reporter, ++line.Sequence), report.Device, report.Session, report.Model, report.Range, report.Outcome, report.Tokens, at);
            line.Delay = _firstRetry;
            Send(line, line.UnderWay);
        }
    }

    private void Send(Line line, RecordWork report)
    {
        _ledger.Tell(report);
        Timers.StartSingleTimer(report.Device, new Retry(report.Device), line.Delay);
    }

    private void AnswerFlushing()
    {
        // A line with something that waits has something under way.
        if (_flushing.Count == 0 || _lines.Values.Any(line => line.UnderWay is not null))
        {
            return;
        }

        foreach (var waiting in _flushing)
        {
            waiting.Tell(Done.Instance);
        }

        _flushing.Clear();
    }

    private sealed record Retry(DeviceId Device);

    private sealed class Line
    {
        public Queue<(WorkReport Report, DateTimeOffset At)> Waiting { get; } = [];

        public RecordWork? UnderWay { get; set; }

        public TimeSpan Delay { get; set; }

        public long Sequence { get; set; }

        public long Dropped { get; set; }
    }
}
