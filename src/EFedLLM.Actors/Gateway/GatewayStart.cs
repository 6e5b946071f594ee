using Akka;
using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Gateway;

/// <summary>Starts the part of a node that takes prompts.</summary>
public static class GatewayStart
{
    /// <summary>
    /// Starts the gateway's actor and asks the cluster, through distributed data, to serve its models. When the actor system is shut
    /// down in order, it takes no new prompts and lets those it has be answered.
    /// </summary>
    /// <param name="system">A node of the cluster.</param>
    /// <param name="settings">What the gateway starts with.</param>
    /// <returns>The GatewayActor, which takes <see cref="Prompt"/> and <see cref="CancelGeneration"/>.</returns>
    public static IActorRef StartGateway(this ActorSystem system, GatewaySettings settings)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(settings);
        var self = Cluster.Get(system).SelfUniqueAddress;
        DistributedData.Get(system).Replicator.Tell(Dsl.Update(
            FactKeys.Models,
            LWWDictionary<string, ServedModel>.Empty,
            WriteLocal.Instance,
            facts => settings.Models.Aggregate(facts, (all, model) => all.SetItem(
                self, FactKeys.ModelEntry(self.Address, model.Served.Model), model.Served with { Files = model.HasFiles ? settings.Files : null }))),
            ActorRefs.Nobody);

        var gateway = system.ActorOf(Props.Create(() => new GatewayActor(settings)), ClusterNames.GatewayActor);
        var shutdown = CoordinatedShutdown.Get(system);
        var patience = shutdown.Timeout(CoordinatedShutdown.PhaseBeforeServiceUnbind);
        shutdown.AddTask(CoordinatedShutdown.PhaseBeforeServiceUnbind, "efedllm-gateway-leaves", async () =>
        {
            if (shutdown.ShutdownReason is CoordinatedShutdown.ClusterDowningReason)
            {
                // The other side of a broken network goes on; nothing here can be finished.
                return Done.Instance;
            }

            // One that has ended already has nothing to finish.
            await Task.WhenAny(gateway.Ask<Done>(DrainGateway.Instance, patience), gateway.WatchAsync()).ConfigureAwait(false);
            return Done.Instance;
        });
        return gateway;
    }
}
