using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Placement;

/// <summary>Starts the view of the cluster that every node has.</summary>
public static class ClusterViewStart
{
    /// <summary>Starts the view actor as <c>/user/view</c>: once for each node.</summary>
    /// <param name="system">The node.</param>
    /// <param name="folder">The node's data folder, in which it keeps what the ledger says of devices; null where nothing is kept.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <returns>Takes <see cref="SubscribeView"/> and <see cref="GetView"/>, from this process only.</returns>
    public static IActorRef StartClusterView(this ActorSystem system, string? folder = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(system);
        var clock = time ?? TimeProvider.System;
        var kept = ImmutableDictionary<DeviceId, DeviceStanding>.Empty;
        if (folder is not null)
        {
            (kept, var problem) = KeptStandings.Read(folder, clock.GetUtcNow());
            if (problem is not null)
            {
                system.Log.Warning("What the ledger said of devices before this node started is not known: {0}", problem);
            }

            system.ActorOf(Props.Create(() => new StandingKeeper(folder, kept)), "standing-keeper");
        }

        var minds = TrustSettings.Read(system.Settings.Config).IsOn;
        return system.ActorOf(Props.Create(() => new ClusterViewActor(kept, minds, clock)), "view");
    }
}
