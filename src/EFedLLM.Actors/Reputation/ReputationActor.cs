using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// The ledger's entity for one device. Counts each report once and says so when it is on disk; answers what is known of the device; tells
/// every node when checks change how far it is trusted. A report that makes no sense gets no answer but a line in the log.
/// </summary>
internal sealed class ReputationActor : ReceivePersistentActor
{
    /// <summary>Begins the persistence id of every device; the rest is the device's id.</summary>
    public const string IdPrefix = "device-";

    /// <summary>Entries from one snapshot to the next: at most so many are read one by one when the device is asked for again.</summary>
    public const int SnapshotEvery = 100;

    private readonly DeviceId _device;
    private readonly TimeProvider _time;
    private readonly TrustSettings _trust;
    private readonly StandingBoard _board;
    private ReputationState _state;
    private DeviceStanding? _told;

    /// <summary>For <paramref name="device"/>.</summary>
    public ReputationActor(DeviceId device, TimeProvider time, TrustSettings trust, StandingBoard board)
    {
        (_device, _time, _trust, _board) = (device, time, trust, board);
        _state = ReputationState.Empty(device);
        Recover<WorkCounted>(entry => _state = _state.Apply(entry));
        Recover<SnapshotOffer>(offer => _state = (ReputationState)offer.Snapshot);
        Recover<RecoveryCompleted>(_ => Publish());
        Command<RecordWork>(Record);
        Command<GetDeviceRecord>(_ => Sender.Tell(_state.ToRecord(_trust, _time.GetUtcNow())));
        Command<SaveSnapshotSuccess>(saved => DeleteSnapshots(new SnapshotSelectionCriteria(saved.Metadata.SequenceNr - 1)));
        Command<SaveSnapshotFailure>(failure => Log.Warning(failure.Cause, "The snapshot of device {0} was not saved; the next one will be.", _device));
        Command<DeleteSnapshotsSuccess>(_ => { });
        Command<DeleteSnapshotsFailure>(failure => Log.Warning(failure.Cause, "Old snapshots of device {0} were not deleted.", _device));
    }

    /// <inheritdoc/>
    public override string PersistenceId => $"{IdPrefix}{_device}";

    private void Record(RecordWork report)
    {
        var problem = report.Device != _device ? "it belongs to another device"
            : report.Id.Sequence < 1 ? "its number is not positive"
            : WorkRules.Problem(report.Device, report.Range, report.Outcome, report.Tokens, report.Check);
        if (problem is not null)
        {
            Log.Warning("A report on device {0} from {1} is ignored: {2}.", _device, Sender.Path, problem);
            return;
        }

        if (_state.Knows(report.Id))
        {
            Sender.Tell(new WorkRecorded(report.Id, _device));
            return;
        }

        Persist(WorkRules.Count(report, _time.GetUtcNow(), _trust), entry =>
        {
            _state = _state.Apply(entry);
            Publish();
            Sender.Tell(new WorkRecorded(entry.Id, _device));
            if (LastSequenceNr % SnapshotEvery == 0)
            {
                SaveSnapshot(_state);
            }
        });
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
}
