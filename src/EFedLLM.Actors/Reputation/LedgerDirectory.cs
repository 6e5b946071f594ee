using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using Akka.Persistence.Query;
using Akka.Persistence.Sql.Query;
using Akka.Streams;
using Akka.Streams.Dsl;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Answers which devices the ledger knows, from the journal itself: nothing has to be kept beside it that a crash could leave behind.
/// Whoever asks while the journal is being read gets the answer of the next reading. When it cannot be read, nobody gets one.
/// </summary>
internal sealed class LedgerDirectory : ReceiveActor
{
    /// <summary>The sharded entity that it is: no device's id.</summary>
    public const string EntityId = "devices";

    // Far more than people who look; the others ask again.
    private const int MostWaiting = 1000;

    private readonly ActorMaterializer _materializer = Context.Materializer();
    private readonly SqlReadJournal _journal = PersistenceQuery.Get(Context.System).ReadJournalFor<SqlReadJournal>(SqlReadJournal.Identifier);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private List<IActorRef> _asked = [];
    private List<IActorRef> _waiting = [];

    /// <summary>On a ledger node.</summary>
    public LedgerDirectory()
    {
        Receive<ListLedgerDevices>(_ =>
        {
            if (_waiting.Count < MostWaiting)
            {
                _waiting.Add(Sender);
                ReadIfIdle();
            }
        });
        Receive<LedgerDevices>(devices =>
        {
            _asked.ForEach(asker => asker.Tell(devices));
            _asked.Clear();
            ReadIfIdle();
        });
        Receive<Status.Failure>(failure =>
        {
            _log.Error(failure.Cause, "The ledger's journal cannot be read for its devices.");
            _asked.Clear();
            ReadIfIdle();
        });
    }

    private void ReadIfIdle()
    {
        if (_asked.Count > 0 || _waiting.Count == 0)
        {
            return;
        }

        (_asked, _waiting) = (_waiting, _asked);
        _journal.CurrentPersistenceIds()
            .Where(id => id.StartsWith(ReputationActor.IdPrefix, StringComparison.Ordinal))
            .Take(ProtocolLimits.Devices)
            .RunWith(Sink.Seq<string>(), _materializer)
            .PipeTo(Self, success: ids => new LedgerDevices([.. ids
                .Select(id => id[ReputationActor.IdPrefix.Length..])
                .Order(StringComparer.Ordinal)
                .Select(id => new DeviceId(id))]));
    }
}
