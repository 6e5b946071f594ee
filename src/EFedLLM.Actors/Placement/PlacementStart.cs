using Akka.Actor;
using Akka.Cluster.Tools.Singleton;
using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Placement;

/// <summary>Starts the placement.</summary>
public static class PlacementStart
{
    /// <summary>Starts this anchor's part of the placement, of which one in the cluster is at work. For nodes with the role anchor only.</summary>
    /// <param name="system">The node.</param>
    /// <param name="view">Its view actor.</param>
    /// <param name="limits">Its settings: the share of memory that devices keep for caches is taken from here.</param>
    /// <param name="expectedDevices">The first plan waits until so many devices are there, or for 15 s after the first. 1 plans at once.</param>
    /// <returns>The singleton's manager.</returns>
    public static IActorRef StartPlacement(this ActorSystem system, IActorRef view, NodeLimits limits, int expectedDevices)
        => system.StartPlacement(view, limits, expectedDevices, PlacementTimings.Default);

    /// <summary>The same with other patience.</summary>
    internal static IActorRef StartPlacement(this ActorSystem system, IActorRef view, NodeLimits limits, int expectedDevices, PlacementTimings timings)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentOutOfRangeException.ThrowIfNegative(expectedDevices);
        return system.ActorOf(
            ClusterSingletonManager.Props(
                Props.Create(() => new PlacementActor(view, limits.CacheShare, expectedDevices, timings)),
                PoisonPill.Instance,
                ClusterSingletonManagerSettings.Create(system).WithRole(ClusterNames.Anchor)),
            ClusterNames.PlacementActor);
    }
}
