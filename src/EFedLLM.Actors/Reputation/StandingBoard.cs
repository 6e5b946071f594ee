using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>Tells every node how far the ledger trusts a device. Safe for any thread.</summary>
internal sealed class StandingBoard
{
    // Nodes that do not confirm in time hear of it by gossip.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly IActorRef _replicator;
    private readonly UniqueAddress _self;

    /// <summary>Of the ledger node <paramref name="system"/>.</summary>
    public StandingBoard(ActorSystem system)
        => (_replicator, _self) = (DistributedData.Get(system).Replicator, Cluster.Get(system).SelfUniqueAddress);

    /// <summary>The node that speaks.</summary>
    public Address Node => _self.Address;

    /// <summary>Publishes a standing; where a later one is known, that stays.</summary>
    /// <param name="standing">The standing.</param>
    /// <param name="urgent">Whether every node is told at once instead of by and by.</param>
    public void Publish(DeviceStanding standing, bool urgent)
    {
        var self = _self;
        _replicator.Tell(
            Dsl.Update(
                FactKeys.Standings,
                LWWDictionary<string, DeviceStanding>.Empty,
                urgent ? new WriteAll(Patience) : WriteLocal.Instance,
                facts => With(facts, self, standing)),
            ActorRefs.Nobody);
    }

    /// <summary>The facts with a standing; the same facts where they say so already, or know a later one.</summary>
    public static LWWDictionary<string, DeviceStanding> With(LWWDictionary<string, DeviceStanding> facts, UniqueAddress self, DeviceStanding standing)
        => facts.TryGetValue(standing.Device.Value, out var known) && (known.Revision > standing.Revision || known with { Revision = standing.Revision } == standing)
            ? facts
            : facts.SetItem(self, standing.Device.Value, standing, (current, next) => Math.Max(current + 1, next.Revision));
}
