using Akka.Actor;

namespace EFedLLM.Actors.Placement;

/// <summary>Starts what removes members whose process has died.</summary>
public static class GhostWatchStart
{
    /// <summary>Starts the watch as <c>/user/ghosts</c>: on each anchor.</summary>
    /// <param name="system">A node with the role anchor.</param>
    public static IActorRef StartGhostWatch(this ActorSystem system)
    {
        ArgumentNullException.ThrowIfNull(system);
        return system.ActorOf(Props.Create(() => new GhostWatch(PortProbe.TryAsync)), "ghosts");
    }
}
