using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// Measures how far other devices are: asks the hosts of a few of them who they are, now and then, and keeps the least of the latest round
/// trips, since what is more was spent waiting. Tells its own host when something changed that matters.
/// </summary>
internal sealed class LinkProbe : ReceiveActor, IWithTimers
{
    /// <summary>Its name under <c>/user</c>.</summary>
    public const string ActorName = "links";

    // One slow answer must not make a link look slow.
    private const int Remembered = 4;

    private readonly DeviceId _self;
    private readonly IActorRef _viewActor;
    private readonly IActorRef _host;
    private readonly TimeProvider _time;
    private readonly TimeSpan _interval;
    private readonly Dictionary<DeviceId, Queue<float>> _trips = [];
    private readonly Dictionary<DeviceId, long> _asked = [];
    private ImmutableArray<LinkSample> _told = [];
    private ClusterView? _view;

    /// <summary>Measures from this device.</summary>
    /// <param name="self">This device.</param>
    /// <param name="view">The node's view actor.</param>
    /// <param name="host">Hears <see cref="LinksMeasured"/>.</param>
    /// <param name="time">The clock.</param>
    /// <param name="interval">How often each chosen device is asked. A higher value costs less and notices later.</param>
    public LinkProbe(DeviceId self, IActorRef view, IActorRef host, TimeProvider time, TimeSpan interval)
    {
        (_self, _viewActor, _host, _time, _interval) = (self, view, host, time, interval);
        Receive<ClusterView>(latest => _view = latest);
        Receive<Tick>(_ =>
        {
            Tell();
            Probe();
        });
        Receive<ActorIdentity>(answer => answer.MessageId is string && answer.Subject is not null, Hear);
    }

    /// <summary>What a node uses.</summary>
    public static TimeSpan Interval { get; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>
    /// Whom to ask: half of them the neighbours in the order of addresses, which are often neighbours in fact, the others spread over the
    /// cluster, so that two places know of one another.
    /// </summary>
    /// <param name="self">The device that asks.</param>
    /// <param name="devices">The devices that answer; those that are asked are among them.</param>
    internal static ImmutableArray<DeviceAnnouncement> Peers(DeviceId self, IEnumerable<DeviceAnnouncement> devices)
    {
        var ordered = devices.OrderBy(device => device.Node.ToString(), StringComparer.Ordinal).ThenBy(device => device.Device.Value, StringComparer.Ordinal).ToList();
        var at = ordered.FindIndex(device => device.Device == self);
        if (ordered.Count - 1 <= ProtocolLimits.LinkSamples || at < 0)
        {
            return [.. ordered.Where(device => device.Device != self).Take(ProtocolLimits.LinkSamples)];
        }

        var peers = new List<DeviceAnnouncement>();
        for (var distance = 1; distance <= ProtocolLimits.LinkSamples / 4; distance++)
        {
            peers.Add(ordered[(at + distance) % ordered.Count]);
            peers.Add(ordered[(at - distance + ordered.Count) % ordered.Count]);
        }

        // The others are spread over the rest, which the neighbours and the device itself are no part of.
        var (first, rest, parts) = (peers.Count / 2 + 1, ordered.Count - peers.Count - 1, ProtocolLimits.LinkSamples - peers.Count);
        for (var part = 0; part < Math.Min(parts, rest); part++)
        {
            peers.Add(ordered[(at + first + (int)((long)part * rest / Math.Min(parts, rest))) % ordered.Count]);
        }

        return [.. peers];
    }

    /// <inheritdoc/>
    protected override void PreStart()
    {
        _viewActor.Tell(new SubscribeView(Self));
        Timers.StartPeriodicTimer(Tick.Instance, Tick.Instance, _interval / 10, _interval);
    }

    private void Probe()
    {
        if (_view is not { } view)
        {
            return;
        }

        var answering = view.Members.Where(member => member.Reachable).Select(member => member.Address).ToHashSet();
        var peers = Peers(_self, view.Devices.Where(device => answering.Contains(device.Node)));
        var ids = peers.Select(peer => peer.Device).ToHashSet();
        foreach (var gone in _trips.Keys.Where(device => !ids.Contains(device)).ToArray())
        {
            _trips.Remove(gone);
        }

        _asked.Clear();
        foreach (var peer in peers)
        {
            _asked[peer.Device] = _time.GetTimestamp();
            peer.Host.Tell(new Identify(peer.Device.Value));
        }
    }

    private void Hear(ActorIdentity answer)
    {
        // Who was not asked in this turn, or answered already, is not heard.
        var device = _asked.Keys.FirstOrDefault(device => device.Value == (string)answer.MessageId);
        if (_asked.Remove(device, out var asked))
        {
            if (!_trips.TryGetValue(device, out var trips))
            {
                _trips[device] = trips = new Queue<float>(Remembered);
            }

            if (trips.Count == Remembered)
            {
                trips.Dequeue();
            }

            trips.Enqueue((float)_time.GetElapsedTime(asked).TotalMilliseconds);
        }
    }

    private void Tell()
    {
        var links = _trips
            .Select(link => new LinkSample(link.Key, link.Value.Min()))
            .OrderBy(link => link.Peer.Value, StringComparer.Ordinal)
            .ToImmutableArray();
        if (!links.AsSpan().SequenceEqual(_told.AsSpan(), Alike.Instance))
        {
            _told = links;
            _host.Tell(new LinksMeasured(links));
        }
    }

    private sealed record Tick
    {
        public static Tick Instance { get; } = new();
    }

    /// <summary>A link that is a little quicker or slower than it was is not worth an announcement.</summary>
    private sealed class Alike : IEqualityComparer<LinkSample>
    {
        public static Alike Instance { get; } = new();

        public bool Equals(LinkSample x, LinkSample y)
            => x.Peer == y.Peer && Math.Abs(x.Milliseconds - y.Milliseconds) <= Math.Max(2, Math.Min(x.Milliseconds, y.Milliseconds) / 2);

        public int GetHashCode(LinkSample link) => link.Peer.GetHashCode();
    }
}
