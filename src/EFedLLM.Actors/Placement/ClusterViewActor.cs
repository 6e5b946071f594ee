using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using Akka.Remote;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Keeps the <see cref="ClusterView"/> of its node from gossip and distributed data, answers <see cref="GetView"/>, and sends the view to
/// everyone who sent <see cref="SubscribeView"/> after each change. News that arrive together make one new view. Where devices are checked it
/// also minds whether a ledger answers.
/// </summary>
internal sealed class ClusterViewActor : ReceiveActor, IWithTimers
{
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly HashSet<IActorRef> _subscribers = [];
    private ClusterViewState _state;
    private ClusterView _view;
    private readonly TimeProvider _time;
    private readonly bool _minds;
    private LedgerWatch _ledger;
    private bool _stale;

    /// <summary>For the node it runs on.</summary>
    /// <param name="kept">What a ledger said of devices before the node started.</param>
    /// <param name="minds">Whether it matters that a ledger answers: where devices are checked.</param>
    /// <param name="time">The clock.</param>
    public ClusterViewActor(ImmutableDictionary<DeviceId, DeviceStanding> kept, bool minds, TimeProvider time)
    {
        (_time, _minds, _ledger) = (time, minds, new LedgerWatch(!kept.IsEmpty, time.GetElapsedTime(0)));
        _state = new ClusterViewState(_cluster.SelfAddress, NodeIdentity.Of(Context.System)?.Certificate.Authority).WithKept(kept);
        _view = _state.View();
        Receive<LookForLedger>(_ => Hear(_state));

        Receive<ClusterEvent.CurrentClusterState>(state => Hear(Snapshot(state)));
        Receive<ClusterEvent.MemberRemoved>(news => Hear(_state.Without(news.Member.UniqueAddress)));
        Receive<ClusterEvent.IMemberEvent>(news => Hear(_state.WithStatus(news.Member.UniqueAddress, Describe(news.Member))));
        Receive<ClusterEvent.UnreachableMember>(news => Hear(_state.WithReachable(news.Member.UniqueAddress, false)));
        Receive<ClusterEvent.ReachableMember>(news => Hear(_state.WithReachable(news.Member.UniqueAddress, true)));
        Receive<AssociatedEvent>(news => Connected(news.RemoteAddress, true));
        Receive<AssociationErrorEvent>(news => Connected(news.RemoteAddress, false));
        Receive<ClusterEvent.LeaderChanged>(news => Hear(_state.WithLeader(news.Leader)));
        Receive<Changed>(change => change.Key.Equals(FactKeys.Devices), change => Hear(_state.WithDevices(change.Get(FactKeys.Devices))));
        Receive<Changed>(change => change.Key.Equals(FactKeys.Models), change => Hear(_state.WithModels(change.Get(FactKeys.Models))));
        Receive<Changed>(change => change.Key.Equals(FactKeys.Plans), change => Hear(_state.WithPlans(change.Get(FactKeys.Plans))));
        Receive<Changed>(change => change.Key.Equals(FactKeys.Standings), change => Hear(_state.WithStandings(change.Get(FactKeys.Standings))));

        Receive<HeldStandings>(held => Hear(_state.WithHeld(held.Devices)));
        Receive<Refresh>(_ => PushIfStale());
        Receive<GetView>(_ =>
        {
            PushIfStale();
            Sender.Tell(_view);
        });
        Receive<SubscribeView>(command =>
        {
            PushIfStale();
            if (_subscribers.Add(command.Subscriber))
            {
                Context.Watch(command.Subscriber);
            }

            command.Subscriber.Tell(_view);
        });
        Receive<Terminated>(ended => _subscribers.Remove(ended.ActorRef));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart()
    {
        _cluster.Subscribe(
            Self,
            ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot,
            typeof(ClusterEvent.IMemberEvent),
            typeof(ClusterEvent.IReachabilityEvent),
            typeof(ClusterEvent.LeaderChanged));
        Context.System.EventStream.Subscribe(Self, typeof(AssociatedEvent));
        Context.System.EventStream.Subscribe(Self, typeof(AssociationErrorEvent));
        var replicator = DistributedData.Get(Context.System).Replicator;
        replicator.Tell(Dsl.Subscribe(FactKeys.Devices, Self));
        replicator.Tell(Dsl.Subscribe(FactKeys.Models, Self));
        replicator.Tell(Dsl.Subscribe(FactKeys.Plans, Self));
        replicator.Tell(Dsl.Subscribe(FactKeys.Standings, Self));
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        Context.System.EventStream.Unsubscribe(Self);
        _cluster.Unsubscribe(Self);
    }

    private static NodeView Describe(Member member)
        => new(member.Address, [.. member.Roles.Where(ClusterNames.Roles.Contains).Order(StringComparer.Ordinal)], member.Status, true, member.AppVersion.Version);

    private ClusterViewState Snapshot(ClusterEvent.CurrentClusterState news)
    {
        var state = news.Members.Aggregate(_state, (state, member) => state.With(member.UniqueAddress, Describe(member)));
        return news.Unreachable.Aggregate(state, (state, member) => state.WithReachable(member.UniqueAddress, false)).WithLeader(news.Leader);
    }

    private void Connected(Address node, bool isConnected)
    {
        var state = _state.WithConnection(node, isConnected);
        if (!ReferenceEquals(state, _state))
        {
            Hear(state);
        }
    }

    private void Hear(ClusterViewState state)
    {
        _state = _minds ? Mind(state) : state;
        if (!_stale)
        {
            // Behind whatever already waits in the mailbox.
            _stale = true;
            Self.Tell(Refresh.Instance);
        }
    }

    /// <summary>The state with whether a ledger is missed; looks again when one would be.</summary>
    private ClusterViewState Mind(ClusterViewState state)
    {
        var now = _time.GetElapsedTime(0);
        _ledger = _ledger.After(state.HasLedger, now);
        if (_ledger.Deadline is { } deadline && deadline > now)
        {
            Timers.StartSingleTimer(LookForLedger.Instance, LookForLedger.Instance, deadline - now);
        }

        return state.WithLedgerAway(_ledger.IsAway(now));
    }

    private void PushIfStale()
    {
        if (_stale)
        {
            _stale = false;
            _view = _state.View();
            foreach (var subscriber in _subscribers)
            {
                subscriber.Tell(_view);
            }
        }
    }

    private sealed record LookForLedger
    {
        public static LookForLedger Instance { get; } = new();
    }

    private sealed record Refresh
    {
        public static Refresh Instance { get; } = new();
    }
}
