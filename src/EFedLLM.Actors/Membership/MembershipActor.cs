using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using Akka.Event;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>
/// One on each node with TLS: takes what distributed data brings of the authority's decisions into the node's store, and hands on what the
/// store has from before. Where the authority's key is, it also spreads new ones.
/// </summary>
internal sealed class MembershipActor : ReceiveActor, IWithTimers
{
    // Members take a decision from distributed data a moment after they confirmed it; before that, the device could just come back.
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(300);

    private readonly RevocationStore _store;
    private readonly TimeSpan _spreadLimit;
    private readonly IActorRef _replicator = DistributedData.Get(Context.System).Replicator;
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private ImmutableHashSet<SignedRevocation> _seen = [];

    /// <summary>With the node's store, and how long a new decision may take to reach every member before the device is taken out in any case.</summary>
    public MembershipActor(RevocationStore store, TimeSpan spreadLimit)
    {
        (_store, _spreadLimit) = (store, spreadLimit);
        Receive<Changed>(change => Hear(change.Get(FactKeys.Revocations).Elements));
        Receive<Learned>(learned =>
        {
            if (learned.News)
            {
                _log.Info("Revocations are now at version {0}; {1} devices are kept out.", _store.Current.Version, _store.Current.Evicted.Length);
            }
        });
        Receive<SpreadRevocation>(Spread);
        Receive<IUpdateResponse>(response =>
        {
            if (response.Request is Spreading spreading)
            {
                Timers.StartSingleTimer(spreading, new Settled(spreading, response.IsSuccessful), Settling);
            }
        });
        Receive<Settled>(settled =>
        {
            foreach (var node in settled.Spreading.Command.Nodes)
            {
                _log.Warning("{0} is taken out of the cluster: its device was evicted.", node);
                _cluster.Down(node);
            }

            settled.Spreading.Asker.Tell(new RevocationSpread(settled.Everywhere));
        });
        Receive<Status.Failure>(failure => _log.Error(failure.Cause, "A revocation counts, but could not be written to disk."));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart()
    {
        _replicator.Tell(Dsl.Subscribe(FactKeys.Revocations, Self));
        Publish(_store.Current.Signed, WriteLocal.Instance, null);
    }

    private void Hear(IImmutableSet<SignedRevocation> all)
    {
        // Checking a signature takes longer than a dispatcher should be held up, and whoever floods the set must not stop this actor.
        var news = all.Except(_seen).ToImmutableArray();
        _seen = [.. all];
        if (news.Length > 0)
        {
            var store = _store;
            Task.Run(() => new Learned(store.Add(news))).PipeTo(Self);
        }
    }

    private void Spread(SpreadRevocation command)
    {
        // The asker has it in the store already: the device is refused here from now on, whatever becomes of the message.
        Publish([command.Signed], new WriteAll(_spreadLimit), new Spreading(command, Sender));
    }

    private void Publish(ImmutableArray<SignedRevocation> signed, IWriteConsistency consistency, object? request)
    {
        if (signed.Length > 0)
        {
            _replicator.Tell(Dsl.Update(FactKeys.Revocations, GSet<SignedRevocation>.Empty, consistency, request, set => signed.Aggregate(set, (all, one) => all.Add(one))));
        }
    }

    private sealed record Learned(bool News);

    private sealed record Settled(Spreading Spreading, bool Everywhere);

    private sealed record Spreading(SpreadRevocation Command, IActorRef Asker);
}
