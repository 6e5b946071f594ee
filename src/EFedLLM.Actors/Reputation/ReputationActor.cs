using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Akka.Persistence;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// The ledger's entity for one device. Counts each report once and says so when it is on disk; takes verdicts back; lets the device return when
/// its exclusion is over, and where it was taken for broken only when it has computed golden vectors rightly; brings finders what they earn;
/// answers what is known of the device; tells every node when that changes how far it is trusted. A report that makes no sense, or is not truly
/// signed, gets no answer but a line in the log. What a device that is excluded says of others is answered and not counted, so that it does not
/// wait with its reporter for ever. Where somebody wrote into its journal it does nothing of this, and says so to whoever asks.
/// </summary>
internal sealed class ReputationActor : ReceivePersistentActor, IWithTimers
{
    /// <summary>Begins the persistence id of every device; the rest is the device's id.</summary>
    public const string IdPrefix = "device-";

    /// <summary>Entries from one snapshot to the next: at most so many are read one by one when the device is asked for again.</summary>
    public const int SnapshotEvery = 100;

    private static readonly TimeSpan Again = TimeSpan.FromSeconds(5);

    // Broken hardware that is right once in a while does not come back by trying.
    private static readonly TimeSpan AfterFailedExam = TimeSpan.FromDays(1);
    private static readonly TimeSpan AfterNoExam = TimeSpan.FromMinutes(2);

    // A timer bears no more than some weeks: a later one looks again in between.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    // A reporter whose own entity does not answer in that time sends its report again.
    private static readonly TimeSpan Hearing = TimeSpan.FromSeconds(5);

    private readonly DeviceId _device;
    private readonly DeviceKey _key;
    private readonly ClusterId _cluster;
    private readonly TimeProvider _time;
    private readonly TrustSettings _trust;
    private readonly StandingBoard _board;
    private readonly Lazy<IActorRef> _ledger;
    private readonly IActorRef _examiner;
    private ReputationState _state;
    private JournalChain _journal; // with what is being written
    private JournalChain _written; // without
    private DeviceStanding? _told;
    private DateTimeOffset _nextExam = DateTimeOffset.MinValue;

    /// <summary>For <paramref name="device"/>, on the ledger node with <paramref name="key"/>; <paramref name="examiner"/> takes <see cref="ExamineDevice"/>.</summary>
    public ReputationActor(DeviceId device, DeviceKey key, ClusterId cluster, TimeProvider time, TrustSettings trust, StandingBoard board, IActorRef examiner)
    {
        (_device, _key, _cluster, _time, _trust, _board, _examiner) = (device, key, cluster, time, trust, board, examiner);
        var system = Context.System;
        _ledger = new Lazy<IActorRef>(() => ClusterSharding.Get(system).ShardRegion(ClusterNames.LedgerType));
        (_state, _journal) = (ReputationState.Empty(device), JournalChain.Empty(device));
        _written = _journal;
        Recover<LinkedEntry>(row =>
        {
            _journal = _journal.After(LastSequenceNr, row);
            _state = _state.Apply(row.Entry);
        });
        Recover<ILedgerStored>(entry =>
        {
            _journal = _journal.After(LastSequenceNr);
            _state = _state.Apply(entry);
        });
        Recover<SnapshotOffer>(offer => (_state, _journal) = offer.Snapshot is LinkedEntry sealedState
            ? ((ReputationState)sealedState.Entry, _journal.From(offer.Metadata.SequenceNr, sealedState))
            : ((ReputationState)offer.Snapshot, _journal.From(offer.Metadata.SequenceNr)));
        Recover<RecoveryCompleted>(_ =>
        {
            _journal = _journal.UpTo(LastSequenceNr);
            if (_journal.Problem is { } problem)
            {
                Refuse(problem);
                return;
            }

            Publish();
            Remind();
            PayFinder();
        });
        Command<RecordWork>(Record);
        Command<Heard>(heard => Count(heard.Report, heard.Reporter));
        Command<NotHeard>(silence => Log.Warning(silence.Error, "A report on device {0} waits: nothing can be learnt of device {1}, who sent it.", _device, silence.Report.Signed!.Reporter));
        Command<StrikeVerdict>(Strike);
        Command<WorkRecorded>(Paid);
        Command<GetDeviceRecord>(_ =>
        {
            // After what is due has been written.
            LetReturn();
            Examine();
            DeferAsync(Sender, asker => asker.Tell(_state.ToRecord(_trust, _time.GetUtcNow())));
        });
        Command<LookAgain>(_ =>
        {
            LetReturn();
            Examine();
            Remind();
        });
        Command<DeviceExamined>(Examined);
        Command<PayAgain>(_ => PayFinder());
        Command<SaveSnapshotSuccess>(saved => DeleteSnapshots(new SnapshotSelectionCriteria(saved.Metadata.SequenceNr - 1)));
        Command<SaveSnapshotFailure>(failure => Log.Warning(failure.Cause, "The snapshot of device {0} was not saved; the next one will be.", _device));
        Command<DeleteSnapshotsSuccess>(_ => { });
        Command<DeleteSnapshotsFailure>(failure => Log.Warning(failure.Cause, "Old snapshots of device {0} were not deleted.", _device));
    }

    /// <inheritdoc/>
    public override string PersistenceId => $"{IdPrefix}{_device}";

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    /// <remarks>A row that nobody can read ends the entity before it has said anything.</remarks>
    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        if (IsUnreadable(reason))
        {
            Log.Error("{0}", new AccountRefused(_device, $"what stands behind entry {_journal.Sequence} cannot be read").Describe());
        }

        base.OnRecoveryFailure(reason, message);
    }

    private static bool IsUnreadable(Exception? reason) => reason is MalformedMessageException || (reason is not null && IsUnreadable(reason.InnerException));

    /// <inheritdoc/>
    /// <remarks>The number of the row is gone, and the rows behind it would not follow what stands before it: the entity begins anew from what is on disk.</remarks>
    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr)
    {
        base.OnPersistRejected(cause, @event, sequenceNr);
        Context.Stop(Self);
    }

    /// <summary>
    /// Somebody wrote into the journal: nothing is told to the cluster of this device, so that what was known of it before stays, and nothing
    /// is counted or taken back. Reports get no answer: they wait with whoever brings them, until the journal is whole again.
    /// </summary>
    private void Refuse(string problem)
    {
        var refusal = new AccountRefused(_device, problem);
        Log.Error("{0}", refusal.Describe());
        Become(() =>
        {
            Command<GetDeviceRecord>(_ => Sender.Tell(refusal));
            Command<StrikeVerdict>(_ => Sender.Tell(refusal));
            CommandAny(_ => { });
        });
    }

    private void Record(RecordWork report)
    {
        var problem = report.Device != _device ? "it belongs to another device"
            : report.Id.Sequence < 1 ? "its number is not positive"
            : WorkRules.Problem(report) ?? (ReportSigning.IsTrulySigned(report, _cluster) ? null : "it is not truly signed");
        if (problem is not null)
        {
            Log.Warning("A report on device {0} from {1} is ignored: {2}.", _device, Sender.Path, problem);
            return;
        }

        if (!WorkRules.Judges(report.Outcome) || _state.Knows(report.Id))
        {
            Count(report, null);
            return;
        }

        _ledger.Value.Ask<DeviceRecord>(new GetDeviceRecord(report.Signed!.Reporter), Hearing).PipeTo(
            Self,
            Sender,
            reporter => new Heard(report, reporter),
            error => new NotHeard(report, error));
    }

    /// <summary>Counts a report once.</summary>
    /// <param name="report">The report.</param>
    /// <param name="reporter">What is known of whoever reports; null where that does not matter.</param>
    private void Count(RecordWork report, DeviceRecord? reporter)
    {
        if (_state.Knows(report.Id))
        {
            Sender.Tell(new WorkRecorded(report.Id, _device));
            return;
        }

        if (reporter is { ServerTier: TrustTier.Excluded } or { VerifierTier: TrustTier.Excluded })
        {
            Log.Warning("A report on device {0} counts nothing: device {1}, who sent it, is excluded.", _device, reporter.Device);
            Sender.Tell(new WorkRecorded(report.Id, _device));
            return;
        }

        var conduct = LetReturn().History.Now;
        Write(WorkRules.Count(report, _time.GetUtcNow(), _trust, conduct), entry =>
        {
            Follow(_state.Apply(entry));
            Sender.Tell(new WorkRecorded(entry.Id, _device));
            PayFinder();
        });
    }

    private void Strike(StrikeVerdict command)
    {
        if (command.Device != _device || command.Reason.Length > ProtocolLimits.ReasonCharacters)
        {
            Log.Warning("The wish of {0} to take back a verdict on device {1} is ignored: it makes no sense.", Sender.Path, _device);
            return;
        }

        var found = _state.Find(command.Verdict);
        if (found != StrikeResult.Struck || _state.Struck.Contains(command.Verdict))
        {
            Answer(found);
            return;
        }

        Write(new VerdictStruck(command.Verdict, command.Reason, _time.GetUtcNow().ToUniversalTime()), struck =>
        {
            Follow(_state.Apply(struck));
            Log.Info("The verdict {0} on device {1} was taken back: {2}", struck.Verdict, _device, struck.Reason);
            Answer(StrikeResult.Struck);
        });

        void Answer(StrikeResult result) => Sender.Tell(new StrikeAnswer(
            _device, command.Verdict, result, StandingRules.Tier(_state.Server, _trust), StandingRules.Tier(_state.Verifier, _trust)));
    }

    /// <summary>Writes that exclusions are over which are.</summary>
    /// <returns>The state as it is then.</returns>
    private ReputationState LetReturn() => LetReturn(state => state.Due(_time.GetUtcNow()));

    private ReputationState LetReturn(Func<ReputationState, DeviceReturned?> next)
    {
        var (state, over) = (_state, new List<DeviceReturned>());
        while (next(state) is { } due)
        {
            over.Add(due);
            state = state.Apply(due);
        }

        if (over.Count > 0)
        {
            foreach (var due in over)
            {
                Write(due, back =>
                {
                    Follow(_state.Apply(back));
                    Log.Info("The exclusion of device {0} as a {1} is over.", _device, back.Role == TrustRole.Server ? "server" : "verifier");
                });
            }
        }

        return state;
    }

    /// <summary>Has a device whose time is over, and that was taken for broken, show that it is sound.</summary>
    private void Examine()
    {
        var now = _time.GetUtcNow();
        if (now >= _nextExam && _state.DueIfSound(now) is not null)
        {
            _nextExam = now + AfterNoExam;
            _examiner.Tell(new ExamineDevice(_device));
        }
    }

    private void Examined(DeviceExamined exam)
    {
        if (exam.IsSound is { } isSound)
        {
            Log.Info("Device {0} computed {1} golden vectors {2}.", _device, GoldenVectors.Count, isSound ? "rightly" : "wrongly and stays excluded");
        }

        switch (exam.IsSound)
        {
            case true:
                LetReturn(state => state.DueIfSound(_time.GetUtcNow()));
                break;
            case false:
                _nextExam = _time.GetUtcNow() + AfterFailedExam;
                break;
            default:
                // It is not there, or others are asked: the next look tries again.
                _nextExam = _time.GetUtcNow() + Again;
                break;
        }

        Remind();
    }

    /// <summary>Looks again when the next exclusion is over.</summary>
    private void Remind()
    {
        if (_state.NextReturn() is not { } next)
        {
            Timers.Cancel(nameof(LookAgain));
            return;
        }

        var now = _time.GetUtcNow();
        var wait = _state.DueIfSound(now) is null ? next - now : _nextExam > now ? _nextExam - now : Again;
        Timers.StartSingleTimer(nameof(LookAgain), LookAgain.Instance, wait > LongestWait ? LongestWait : wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
    }

    /// <summary>Brings the first finder who waits what he earns, again and again until his entity has it: that knows the number, so that it counts once.</summary>
    private void PayFinder()
    {
        if (_state.Owed is not [var owed, ..])
        {
            Timers.Cancel(nameof(PayAgain));
            return;
        }

        _ledger.Value.Tell(
            ReportSigning.Sign(
                new RecordWork(IdOf(owed), owed.Finder, owed.Session, owed.Model, owed.Range, WorkOutcome.Found, 0, _time.GetUtcNow()) { Amount = owed.Amount }, _key, _cluster));
        Timers.StartSingleTimer(nameof(PayAgain), PayAgain.Instance, Again);
    }

    private void Paid(WorkRecorded recorded)
    {
        if (_state.Owed is [var owed, ..] && recorded.Device == owed.Finder && recorded.Id == IdOf(owed))
        {
            Write(new FinderPaid(owed.Number), paid =>
            {
                Follow(_state.Apply(paid));
                PayFinder();
            });
        }
    }

    /// <summary>The device itself is the reporter, for ever: its numbers outlive restarts.</summary>
    private ReportId IdOf(FinderReward owed) => new(Guid.ParseExact(_device.Value, "n"), owed.Number);

    /// <summary>Writes an entry as the next row of the journal, and goes on when it is on disk.</summary>
    private void Write<TEntry>(TEntry entry, Action<TEntry> then)
        where TEntry : ILedgerStored
    {
        (var row, _journal) = _journal.Append(entry);
        var written = _journal;
        Persist(row, _ =>
        {
            _written = written;
            then(entry);
        });
    }

    private void Follow(ReputationState state)
    {
        _state = state;
        Publish();
        Remind();
        if (LastSequenceNr % SnapshotEvery == 0)
        {
            SaveSnapshot(_written.Seal(_state));
        }
    }

    /// <summary>Tells every node what has changed of what it is to know.</summary>
    private void Publish()
    {
        if (_state.ToStanding(_trust, _board.Node) is not { } now || now with { Revision = _told?.Revision ?? 0 } == _told)
        {
            return;
        }

        var urgent = (now.Server, now.Verifier) != (_told?.Server ?? TrustTier.Probation, _told?.Verifier ?? TrustTier.Probation);
        if (urgent)
        {
            Log.Info("Device {0} is trusted so far: {1} as a server, {2} as a verifier. Its score is {3:F2}.", _device, now.Server, now.Verifier, now.Score);
        }

        _told = now;
        _board.Publish(now, urgent);
    }

    /// <summary>What is known of whoever sent a report.</summary>
    private sealed record Heard(RecordWork Report, DeviceRecord Reporter) : INoSerializationVerificationNeeded;

    private sealed record NotHeard(RecordWork Report, Exception Error) : INoSerializationVerificationNeeded;

    private sealed record LookAgain
    {
        public static LookAgain Instance { get; } = new();
    }

    private sealed record PayAgain
    {
        public static PayAgain Instance { get; } = new();
    }
}
