using Akka;
using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Layers;

/// <summary>Starts the part of a node that holds layers.</summary>
public static class DeviceStart
{
    /// <summary>
    /// Starts the device's layer host. It opens its models, measures its speed, announces itself in distributed data and then loads
    /// what the plans assign to it. When the actor system is shut down in order, it serves until others hold its layers, takes no new
    /// sessions then and lets those it has finish. A device that the cluster removed has nobody to wait for.
    /// </summary>
    /// <param name="system">A node of the cluster.</param>
    /// <param name="settings">What the device starts with.</param>
    /// <returns>The layer host.</returns>
    /// <exception cref="ArgumentException">The key is not that of the device.</exception>
    public static IActorRef StartDevice(this ActorSystem system, DeviceSettings settings)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Key is { } key && key.Device != settings.DeviceId)
        {
            throw new ArgumentException($"The key is that of device {key.Device.Short}, not of {settings.DeviceId.Short}.", nameof(settings));
        }

        var self = Cluster.Get(system).SelfUniqueAddress;
        var replicator = DistributedData.Get(system).Replicator;
        Action<DeviceAnnouncement> announce = announcement => replicator.Tell(Dsl.Update(
            FactKeys.Devices,
            LWWDictionary<string, DeviceAnnouncement>.Empty,
            WriteLocal.Instance,
            facts => facts.SetItem(self, announcement.Device.Value, announcement)),
            ActorRefs.Nobody);

        var host = system.ActorOf(Props.Create(() => new LayerHost(settings, self.Address, announce)), LayerHost.ActorName);
        var shutdown = CoordinatedShutdown.Get(system);
        var patience = shutdown.Timeout(CoordinatedShutdown.PhaseBeforeServiceUnbind);
        shutdown.AddTask(CoordinatedShutdown.PhaseBeforeServiceUnbind, "efedllm-device-leaves", async () =>
        {
            if (shutdown.ShutdownReason is CoordinatedShutdown.ClusterDowningReason)
            {
                return Done.Instance;
            }

            // One that has ended already has nothing to finish.
            await Task.WhenAny(host.Ask<Done>(LeaveDevice.Instance, patience), host.WatchAsync()).ConfigureAwait(false);
            return Done.Instance;
        });
        return host;
    }
}
