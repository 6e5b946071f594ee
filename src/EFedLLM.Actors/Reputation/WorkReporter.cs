using Akka;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Brings a node's <see cref="WorkReport"/>s to the ledger. Each is written to disk as it comes and removed when the ledger has it, so what
/// waits outlives this process. One report of a device is under way at a time and is repeated until the ledger has it; the others wait.
/// The ledger knows a report's id again, so each counts once, however often it was sent and by however many starts of this node.
/// A report is signed when it sets out, so that what waits stays sayable though the cluster's authority changes.
/// Until the ledger has a hard failure, the node's own view goes by it (<see cref="OwnConvictions"/>), also after a restart.
/// </summary>
/// <remarks>
/// What counts when somebody dies in the middle:
/// <list type="bullet">
/// <item>A verdict begins when it is on disk here, with all reports that came with it (<see cref="WorkReports"/>) and what is due to whoever
/// checked. Before that it was never sent: a gateway that dies then has counted nothing of it anywhere. A session that had not ended reports
/// nothing, and nobody loses or gains by it; who was found out in it by then is reported at that moment. Whoever asked hears that the answer
/// is whole after its reports are on disk.</item>
/// <item>From then on it counts once: it is sent under its id, also by later starts of this node, until the ledger says that it is in its
/// journal. The ledger says so after it is, and says it again for an id that it knows: so neither an answer that was lost nor a ledger that
/// died before or after writing changes the count.</item>
/// <item>A verifier that dies in the middle of a check has said nothing that counts: another one begins anew.</item>
/// <item>With a disk that cannot be written reports are sent all the same, and wait in memory alone: then the death of this process may cost
/// some. None counts twice even so.</item>
/// </list>
/// </remarks>
internal sealed class WorkReporter : ReceiveActor, IWithTimers
{
    private const int WarnEvery = 1000;

    private static readonly TimeSpan WriteAgain = TimeSpan.FromSeconds(1);

    // What the ledger says travels by another way than its answer: so many first pauses, and it is here.
    private const int StandingPauses = 5;

    // How late it may be noticed that a conviction is too old to count.
    private static readonly TimeSpan Ageing = TimeSpan.FromHours(1);

    // A new one with each start, so that a number that was lost with the power is never given to another report. What waits keeps its own.
    private readonly Guid _reporter = Guid.NewGuid();
    private readonly Dictionary<DeviceId, long> _sequences = [];
    private readonly Outbox _outbox;
    private readonly OutboxFile _file;
    private readonly List<IActorRef> _flushing = [];
    private readonly IActorRef _ledger;
    private readonly TimeProvider _time;
    private readonly TimeSpan _firstRetry;
    private readonly TimeSpan _lastRetry;
    private readonly DeviceKey _key;
    private readonly ClusterId _cluster;
    private readonly IActorRef? _view;
    private readonly OwnConvictions _convictions;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private Dictionary<long, OutboxEntry> _added = [];
    private List<long> _removed = [];
    private List<IActorRef> _asking = []; // who wants to hear when all of _added is on disk
    private bool _writing;
    private bool _failing;
    private long _position;
    private long _refused;

    /// <summary>To <paramref name="ledger"/>, as the word of <paramref name="key"/> in <paramref name="cluster"/>, and tells <paramref name="view"/> what this node found that the ledger has not counted; repeats after <paramref name="firstRetry"/>, and each time after twice as long, up to <paramref name="lastRetry"/>.</summary>
    public WorkReporter(
        IActorRef ledger, OutboxFile file, OutboxLimits limits, TimeProvider time, TimeSpan firstRetry, TimeSpan lastRetry, DeviceKey key, ClusterId cluster, IActorRef? view = null, TrustSettings? trust = null)
    {
        (_view, _convictions) = (view, new OwnConvictions(trust ?? new TrustSettings()));
        (_ledger, _file, _time, _firstRetry, _lastRetry, _key, _cluster) = (ledger, file, time, firstRetry, lastRetry, key, cluster);
        (_outbox, _position) = (new Outbox(limits), file.LastPosition);
        Receive<WorkReport>(report => Take([report]));
        Receive<WorkReports>(message =>
        {
            _asking.Add(Sender);
            Take(message.Reports);
        });
        Receive<WorkRecorded>(Release);
        Receive<FlushReports>(_ =>
        {
            _flushing.Add(Sender);
            AnswerFlushing();
        });
        Receive<Retry>(retry => Repeat(retry.Device));
        Receive<StandingDue>(due =>
        {
            if (_convictions.Release(due.Position))
            {
                TellHeld();
            }
        });
        Receive<TellHeldAgain>(_ => TellHeld());
        Receive<Written>(Finish);
        Receive<TryWriting>(_ => WriteChanges());
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart()
    {
        if (_file.Warning is { } warning)
        {
            _log.Warning("{0}", warning);
        }

        foreach (var entry in _file.Waiting)
        {
            _outbox.Add(entry);
            _convictions.Hold(entry);
        }

        TellHeld();
        _outbox.MaySend(_position);
        if (_outbox.Count > 0)
        {
            _log.Info("{0} reports of an earlier run wait for the ledger.", _outbox.Count);
        }

        foreach (var device in _outbox.Devices.ToList())
        {
            SendNext(device);
        }
    }

    /// <inheritdoc/>
    protected override void PostStop() => _file.ApplyAsync(_added.Values, _removed);

    /// <summary>Takes reports that are written as one, each with what is due to whoever checked: that is an entry of its own, numbered, kept and repeated like any other.</summary>
    private void Take(IReadOnlyList<WorkReport> reports)
    {
        foreach (var report in reports)
        {
            Take(report);
            if (WorkRules.Verifying(report, _key.Device) is { } verifying)
            {
                Take(verifying);
            }
        }

        WriteChanges();
    }

    private void Take(WorkReport report)
    {
        // A long reason must not cost the report that carries it.
        var check = report.Check is { } given ? given with { Reason = Values.Clip(given.Reason, ProtocolLimits.ReasonCharacters) } : null;
        var sequence = _sequences.GetValueOrDefault(report.Device) + 1;
        var record = new RecordWork(
            new ReportId(_reporter, sequence), report.Device, report.Session, report.Model, report.Range, report.Outcome, report.Tokens, _time.GetUtcNow(), check)
        {
            Size = report.Size,
        };
        if (WorkRules.Problem(record) is { } problem)
        {
            _log.Error("A report on device {0} is not sent to the ledger: {1}.", report.Device, problem);
            return;
        }

        var body = OutboxForm.Write(record);
        if (OwnConvictions.IsOne(record) ? !_outbox.HasRoomForConviction(report.Device) : !_outbox.HasRoom(report.Device, body.Length))
        {
            if (_refused++ % WarnEvery == 0)
            {
                _log.Warning(
                    "The ledger does not answer: {0} reports ({1} bytes) wait for it, which is as many as may, and {2} newer ones were not kept (efedllm.outbox).",
                    _outbox.Count, _outbox.Bytes, _refused);
            }

            return;
        }

        _sequences[report.Device] = sequence;
        var entry = new OutboxEntry(++_position, record, body);
        _outbox.Add(entry);
        _added.Add(entry.Position, entry);
        if (_convictions.Hold(entry))
        {
            TellHeld();
        }
    }

    /// <summary>Tells the node's view what holds until the ledger has spoken.</summary>
    private void TellHeld()
    {
        _view?.Tell(new HeldStandings(_convictions.Standings(_time.GetUtcNow())));
        if (_convictions.IsEmpty)
        {
            Timers.Cancel(TellHeldAgain.Instance);
        }
        else
        {
            Timers.StartSingleTimer(TellHeldAgain.Instance, TellHeldAgain.Instance, Ageing);
        }
    }

    private void Release(WorkRecorded recorded)
    {
        if (_outbox.Acknowledge(recorded) is not { } done)
        {
            return;
        }

        Timers.Cancel(recorded.Device);
        if (OwnConvictions.IsOne(done.Entry.Report))
        {
            Timers.StartSingleTimer(done.Entry.Position, new StandingDue(done.Entry.Position), StandingPauses * _firstRetry);
        }

        if (!_added.Remove(done.Entry.Position))
        {
            _removed.Add(done.Entry.Position);
        }

        WriteChanges();
        SendNext(recorded.Device);
        if (done.Delay > _firstRetry)
        {
            // The ledger is back: nobody waits for the end of a long pause.
            foreach (var device in _outbox.Hasten(_firstRetry))
            {
                Repeat(device);
            }
        }

        AnswerFlushing();
    }

    private void SendNext(DeviceId device)
    {
        if (_outbox.SetOut(device, _firstRetry) is { } entry)
        {
            Send(entry, _firstRetry);
        }
    }

    private void Repeat(DeviceId device)
    {
        if (_outbox.Repeat(device, _lastRetry) is { } again)
        {
            Send(again.Entry, again.Delay);
        }
    }

    private void Send(OutboxEntry entry, TimeSpan delay)
    {
        _ledger.Tell(ReportSigning.Sign(entry.Report, _key, _cluster));
        Timers.StartSingleTimer(entry.Report.Device, new Retry(entry.Report.Device), delay);
    }

    /// <summary>One write at a time, of all that has changed meanwhile.</summary>
    private void WriteChanges()
    {
        if (_writing)
        {
            return;
        }

        if (_added.Count == 0 && _removed.Count == 0)
        {
            Answer(_asking);
            _asking.Clear();
            return;
        }

        var write = new Written(_added, _removed, _asking, _position, null);
        (_added, _removed, _asking, _writing) = ([], [], [], true);
        _file.ApplyAsync(write.Added.Values, write.Removed).PipeTo(Self, success: () => write, failure: error => write with { Error = error });
    }

    private void Finish(Written written)
    {
        _writing = false;
        if (written.Error is null)
        {
            _failing = false;
        }
        else
        {
            PutBack(written);
        }

        // Only now: what is sent is on disk, unless nothing can be.
        _outbox.MaySend(written.Position);
        foreach (var device in written.Added.Values.Select(entry => entry.Report.Device).Distinct())
        {
            SendNext(device);
        }

        Answer(written.Asking);
        if (written.Error is null)
        {
            WriteChanges();
        }
    }

    private void PutBack(Written written)
    {
        if (!_failing)
        {
            _failing = true;
            _log.Warning(written.Error, "Reports that wait for the ledger cannot be written to disk; until they can, they wait in memory alone.");
        }

        // With the next change they are tried again, or after a while. What the ledger got meanwhile needs no writing any more.
        var released = _removed.ToHashSet();
        foreach (var entry in written.Added.Values.Where(entry => !released.Remove(entry.Position)))
        {
            _added.Add(entry.Position, entry);
        }

        _removed = [.. released, .. written.Removed];
        Timers.StartSingleTimer(nameof(TryWriting), TryWriting.Instance, WriteAgain);
    }

    private static void Answer(IEnumerable<IActorRef> asking)
    {
        foreach (var asker in asking)
        {
            asker.Tell(WorkReportsKept.Instance);
        }
    }

    private void AnswerFlushing()
    {
        if (_flushing.Count == 0 || _outbox.Count > 0)
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

    /// <summary>By now the ledger's word about what stood at a position of the outbox is here.</summary>
    private sealed record StandingDue(long Position);

    private sealed record TellHeldAgain
    {
        public static TellHeldAgain Instance { get; } = new();
    }

    private sealed record TryWriting
    {
        public static TryWriting Instance { get; } = new();
    }

    /// <summary>A write that is done: of all up to a position.</summary>
    private sealed record Written(Dictionary<long, OutboxEntry> Added, List<long> Removed, List<IActorRef> Asking, long Position, Exception? Error);
}
