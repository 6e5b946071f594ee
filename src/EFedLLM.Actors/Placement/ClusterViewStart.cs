using Akka.Actor;

namespace EFedLLM.Actors.Placement;

/// <summary>Starts the view of the cluster that every node has.</summary>
public static class ClusterViewStart
{
    /// <summary>Starts the view actor as <c>/user/view</c>: once for each node.</summary>
    /// <returns>Takes <see cref="Protocol.SubscribeView"/> and <see cref="Protocol.GetView"/>, from this process only.</returns>
    public static IActorRef StartClusterView(this ActorSystem system)
    {
        ArgumentNullException.ThrowIfNull(system);
        return system.ActorOf(Props.Create(() => new ClusterViewActor()), "view");
    }
}
