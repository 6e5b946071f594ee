using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// The ledger's entity for one device. Counts each report once and says so when it is on disk; answers what is known of the device. A
/// report that makes no sense gets no answer but a line in the log.
/// </summary>
internal sealed class ReputationActor : ReceivePersistentActor
{
    /// <summary>Begins the persistence id of every device; the rest is the device's id.</summary>
    public const string IdPrefix = "device-";

    /// <summary>Entries from one snapshot to the next: at most so many are read one by one when the device is asked for again.</summary>
    public const int SnapshotEvery = 100;

    private readonly DeviceId _device;
    private readonly TimeProvider _time;
    private ReputationState _state;

    /// <summary>For <paramref name="device"/>.</summary>
    public ReputationActor(DeviceId device, TimeProvider time)
    {
        (_device, _time) = (device, time);
        _state = ReputationState.Empty(device);
        Recover<WorkCounted>(entry => _state = _state.Apply(entry));
        Recover<SnapshotOffer>(offer => _state = (ReputationState)offer.Snapshot);
        Command<RecordWork>(Record);
        Command<GetDeviceRecord>(_ => Sender.Tell(_state.ToRecord()));
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
            : WorkRules.Problem(report.Range, report.Outcome, report.Tokens);
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

        Persist(WorkRules.Count(report, _time.GetUtcNow()), entry =>
        {
            _state = _state.Apply(entry);
            Sender.Tell(new WorkRecorded(entry.Id, _device));
            if (LastSequenceNr % SnapshotEvery == 0)
            {
                SaveSnapshot(_state);
            }
        });
    }
}
