using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Wakes the ledger's entity of every device that announces itself, which then says again what every node is to know of it: a device that
/// was excluded is so too when the whole cluster, and with it distributed data, was gone. When a ledger node goes, whose word may be lost
/// with it, all are woken once more. It also wakes those whose exclusion is over, so that they say so.
/// </summary>
internal sealed class StandingWatch : ReceiveActor, IWithTimers
{
    /// <summary>Entities that are woken at a time: more would only wait for the database.</summary>
    private const int MostAsked = 256;

    private static readonly TimeSpan Again = TimeSpan.FromSeconds(2);

    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly HashSet<DeviceId> _awake = [];
    private readonly HashSet<DeviceId> _asked = [];
    private readonly Queue<DeviceId> _waiting = [];
    private readonly IActorRef _ledger;
    private readonly TimeProvider _time;
    private HashSet<DeviceId> _announced = [];
    private (DeviceId Device, DateTimeOffset Until)[] _excluded = [];

    /// <summary>Beside the ledger's entities, which are reached through <paramref name="ledger"/>.</summary>
    public StandingWatch(IActorRef ledger, TimeProvider time)
    {
        (_ledger, _time) = (ledger, time);
        Receive<Changed>(change => change.Key.Equals(FactKeys.Standings), change => _excluded =
        [
            .. change.Get(FactKeys.Standings).Select(entry => entry.Value)
                .Where(standing => standing.NextReturn is not null)
                .Select(standing => (standing.Device, standing.NextReturn!.Value)),
        ]);
        Receive<Changed>(change =>
        {
            _announced = [.. change.Get(FactKeys.Devices).Where(entry => entry.Key == entry.Value.Device.Value).Select(entry => entry.Value.Device)];
            _awake.IntersectWith(_announced);
            Wake();
        });
        Receive<DeviceRecord>(record => Woken(record.Device));
        Receive<AccountRefused>(refused => Woken(refused.Device));
        Receive<AskAgain>(_ =>
        {
            var now = _time.GetUtcNow();
            foreach (var device in _asked.Union(_excluded.Where(one => one.Until <= now).Select(one => one.Device).Take(MostAsked)))
            {
                _ledger.Tell(new GetDeviceRecord(device));
            }
        });
        Receive<ClusterEvent.MemberRemoved>(removed =>
        {
            if (removed.Member.HasRole(ClusterNames.Ledger))
            {
                _awake.Clear();
                Wake();
            }
        });
        Receive<ClusterEvent.CurrentClusterState>(_ => { });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart()
    {
        _cluster.Subscribe(Self, typeof(ClusterEvent.MemberRemoved));
        DistributedData.Get(Context.System).Replicator.Tell(Dsl.Subscribe(FactKeys.Devices, Self));
        DistributedData.Get(Context.System).Replicator.Tell(Dsl.Subscribe(FactKeys.Standings, Self));
        Timers.StartPeriodicTimer(AskAgain.Instance, AskAgain.Instance, Again);
    }

    /// <inheritdoc/>
    protected override void PostStop() => _cluster.Unsubscribe(Self);

    private void Woken(DeviceId device)
    {
        if (_asked.Remove(device))
        {
            _awake.Add(device);
            Ask();
        }
    }

    private void Wake()
    {
        _waiting.Clear();
        foreach (var device in _announced.Where(device => !_awake.Contains(device) && !_asked.Contains(device)))
        {
            _waiting.Enqueue(device);
        }

        Ask();
    }

    private void Ask()
    {
        while (_asked.Count < MostAsked && _waiting.TryDequeue(out var device))
        {
            _asked.Add(device);
            _ledger.Tell(new GetDeviceRecord(device));
        }
    }

    private sealed record AskAgain
    {
        public static AskAgain Instance { get; } = new();
    }
}
