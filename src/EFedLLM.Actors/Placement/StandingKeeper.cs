using Akka.Actor;
using Akka.DistributedData;
using Akka.Event;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Placement;

/// <summary>Keeps what the ledger says of devices in the node's data folder. One write at a time, off the dispatcher, of all that has changed meanwhile.</summary>
internal sealed class StandingKeeper : ReceiveActor, IWithTimers
{
    // News come in swarms; a second is as long as an exclusion may take to be everywhere.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly string _folder;
    private IReadOnlyDictionary<DeviceId, DeviceStanding> _standings;
    private bool _isStale;
    private bool _isWriting;
    private bool _isFailing;

    /// <summary>In a folder in which <paramref name="kept"/> are kept already.</summary>
    public StandingKeeper(string folder, IReadOnlyDictionary<DeviceId, DeviceStanding> kept)
    {
        (_folder, _standings) = (folder, kept);
        Receive<Changed>(change =>
        {
            // What a ledger says now, and what one said before of devices of which it says nothing yet.
            var all = new Dictionary<DeviceId, DeviceStanding>(_standings);
            foreach (var (key, standing) in change.Get(FactKeys.Standings))
            {
                if (key == standing.Device.Value)
                {
                    all[standing.Device] = standing;
                }
            }

            (_standings, _isStale) = (all, true);
            Timers.StartSingleTimer(WriteNow.Instance, WriteNow.Instance, Pause);
        });
        Receive<WriteNow>(_ => Write());
        Receive<Written>(written =>
        {
            _isWriting = false;
            if (written.Error is { } error && !_isFailing)
            {
                _log.Warning(error, "What the ledger says of devices cannot be kept in {0}: should this node start while no ledger answers, it knows nothing of it.", _folder);
            }

            (_isFailing, _isStale) = (written.Error is not null, _isStale || written.Error is not null);
            if (_isStale)
            {
                Timers.StartSingleTimer(WriteNow.Instance, WriteNow.Instance, _isFailing ? 20 * Pause : Pause);
            }
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart() => DistributedData.Get(Context.System).Replicator.Tell(Dsl.Subscribe(FactKeys.Standings, Self));

    private void Write()
    {
        if (_isWriting || !_isStale)
        {
            return;
        }

        (_isWriting, _isStale) = (true, false);
        var (folder, standings) = (_folder, _standings.Values.ToArray());
        Task.Run(() => KeptStandings.Write(folder, standings)).PipeTo(Self, success: () => new Written(null), failure: error => new Written(error));
    }

    private sealed record WriteNow
    {
        public static WriteNow Instance { get; } = new();
    }

    private sealed record Written(Exception? Error);
}
