using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Akka.Remote;

namespace EFedLLM.Actors.Placement;

/// <summary>Looks after members whose connection broke or that went silent, and takes those whose process has died out of the cluster. What it decides is in <see cref="GhostState"/>.</summary>
internal sealed class GhostWatch : ReceiveActor, IWithTimers
{
    // Answers that lost a hop wait for the second look.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly GhostState _state = new();
    private readonly Func<Address, Task<ProbeOutcome>> _probe;

    /// <summary>On an anchor.</summary>
    /// <param name="probe">Finds out whether anybody listens at an address.</param>
    public GhostWatch(Func<Address, Task<ProbeOutcome>> probe)
    {
        _probe = probe;
        Receive<DisassociatedEvent>(news => Suspect(news.RemoteAddress));
        Receive<ClusterEvent.UnreachableMember>(news => Suspect(news.Member.Address));
        Receive<ClusterEvent.CurrentClusterState>(state =>
        {
            foreach (var member in state.Unreachable)
            {
                Suspect(member.Address);
            }
        });
        Receive<Probe>(message => Look(message.Node));
        Receive<Probed>(Judge);
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart()
    {
        Context.System.EventStream.Subscribe(Self, typeof(DisassociatedEvent));
        _cluster.Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot, typeof(ClusterEvent.UnreachableMember));
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _cluster.Unsubscribe(Self);
        Context.System.EventStream.Unsubscribe(Self);
    }

    private void Suspect(Address node)
    {
        var (status, roles) = Of(node);
        if (_state.Suspect(node, status, roles))
        {
            Look(node);
        }
    }

    private void Look(Address node)
        => _probe(node).PipeTo(Self, success: outcome => new Probed(node, outcome), failure: _ => new Probed(node, ProbeOutcome.Silent));

    private void Judge(Probed probed)
    {
        var (status, roles) = Of(probed.Node);
        switch (_state.Judge(probed.Node, probed.Outcome, status, roles))
        {
            case GhostStep.ProbeAgain:
                Timers.StartSingleTimer(probed.Node, new Probe(probed.Node), Pause);
                break;
            case GhostStep.Remove:
                _log.Warning("The process of {0} is gone: its machine answers, and nobody listens there. It is removed from the cluster.", probed.Node);
                _cluster.Down(probed.Node);
                break;
            default:
                break;
        }
    }

    private (MemberStatus? Status, ImmutableHashSet<string> Roles) Of(Address node)
        => _cluster.State.Members.FirstOrDefault(member => member.Address.Equals(node)) is { } member && !node.Equals(_cluster.SelfAddress)
            ? (member.Status, member.Roles)
            : (null, ImmutableHashSet<string>.Empty);

    private sealed record Probe(Address Node);

    private sealed record Probed(Address Node, ProbeOutcome Outcome);
}
