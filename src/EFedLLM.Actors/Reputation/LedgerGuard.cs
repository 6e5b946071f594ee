using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Membership;

namespace EFedLLM.Actors.Reputation;

/// <summary>Watches the members for a ledger node that this one cannot run beside: before its ledger starts, and as long as it runs.</summary>
internal sealed class LedgerGuard : ReceiveActor
{
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly Dictionary<UniqueAddress, Member> _ledgers = [];
    private readonly HashSet<UniqueAddress> _unreachable = [];
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly TaskCompletionSource _admitted;
    private bool _asked;
    private bool _complete;
    private string? _told;

    /// <summary>Completes <paramref name="admitted"/> when the cluster has let the node in and its ledger may start; fails it with a <see cref="LedgerUnavailableException"/> when it may not.</summary>
    public LedgerGuard(TaskCompletionSource admitted)
    {
        _admitted = admitted;
        Receive<ClusterEvent.MemberRemoved>(removed => Forget(removed.Member));
        Receive<ClusterEvent.MemberDowned>(downed => Forget(downed.Member));
        Receive<ClusterEvent.IMemberEvent>(change =>
        {
            if (change.Member.HasRole(ClusterNames.Ledger))
            {
                _ledgers[change.Member.UniqueAddress] = change.Member;
                Judge();
            }
        });
        Receive<ClusterEvent.CurrentClusterState>(state =>
        {
            foreach (var member in state.Members.Where(member => member.HasRole(ClusterNames.Ledger)))
            {
                _ledgers[member.UniqueAddress] = member;
            }

            _unreachable.UnionWith(state.Unreachable.Select(member => member.UniqueAddress));
            _complete = true;
            Judge();
        });
        Receive<ClusterEvent.UnreachableMember>(lost =>
        {
            _unreachable.Add(lost.Member.UniqueAddress);
            Judge();
        });
        Receive<ClusterEvent.ReachableMember>(back =>
        {
            _unreachable.Remove(back.Member.UniqueAddress);
            Judge();
        });
    }

    /// <inheritdoc/>
    protected override void PreStart() => _cluster.Subscribe(
        Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));

    /// <inheritdoc/>
    protected override void PostStop() => _cluster.Unsubscribe(Self);

    private void Forget(Member member)
    {
        _unreachable.Remove(member.UniqueAddress);
        if (_ledgers.Remove(member.UniqueAddress))
        {
            Judge();
        }
    }

    private void Judge()
    {
        if (!_ledgers.TryGetValue(_cluster.SelfUniqueAddress, out var self))
        {
            return;
        }

        if (!_complete)
        {
            // The members that the cluster told a new one of come one by one, perhaps itself before those it has to know of: the answer
            // to this comes after all of them.
            if (!_asked)
            {
                _asked = true;
                _cluster.SendCurrentClusterState(Self);
            }

            return;
        }

        var verdict = LedgerRules.Judge(Node(self), [.. _ledgers.Values.Where(member => member != self).Select(Node)]);
        if (verdict.Problem is { } problem && problem != _told)
        {
            _told = problem;
            _log.Error("The ledger: {0}", problem);
        }

        switch (verdict.Step)
        {
            case LedgerStep.Run:
                _admitted.TrySetResult();
                break;
            case LedgerStep.Leave when !_admitted.TrySetException(new LedgerUnavailableException(verdict.Problem!)) && _admitted.Task.IsCompletedSuccessfully:
                CoordinatedShutdown.Get(Context.System).Run(new CannotRunReason(verdict.Problem!));
                break;
        }
    }

    private LedgerNode Node(Member member) => new(
        $"{member.Address.Host}:{member.Address.Port}",
        member.Address.Host ?? "",
        LedgerIdentity.Find(member.Roles),
        Seniority(member),
        member.Status is not (MemberStatus.Joining or MemberStatus.WeaklyUp),
        !_unreachable.Contains(member.UniqueAddress));

    private int Seniority(Member member) => _ledgers.Values.Count(other => other != member && other.IsOlderThan(member));
}
