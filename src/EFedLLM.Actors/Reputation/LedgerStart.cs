using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>Starts the ledger.</summary>
public static class LedgerStart
{
    /// <summary>On a node with the role ledger starts the ledger's entities; on any other the way to them. Waits for the disk, not for other nodes.</summary>
    /// <returns>Takes <see cref="RecordWork"/>, <see cref="GetDeviceRecord"/> and <see cref="ListLedgerDevices"/>.</returns>
    /// <exception cref="LedgerUnavailableException">The ledger's file cannot be used; the message says why and what to do.</exception>
    public static IActorRef StartLedger(this ActorSystem system) => system.StartLedger(TimeProvider.System);

    /// <summary>The same by another clock.</summary>
    internal static IActorRef StartLedger(this ActorSystem system, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(system);
        var sharding = ClusterSharding.Get(system);
        if (!Cluster.Get(system).SelfRoles.Contains(ClusterNames.Ledger))
        {
            return sharding.StartProxy(ClusterNames.LedgerType, ClusterNames.Ledger, new LedgerExtractor());
        }

        var journal = system.Settings.Config.GetConfig("akka.persistence.journal.sql");
        if (journal.GetString("provider-name", "").StartsWith("SQLite", StringComparison.OrdinalIgnoreCase))
        {
            var claim = LedgerFile.Open(journal.GetString("connection-string", ""));
            system.RegisterOnTermination(claim.Dispose);
        }

        return sharding.Start(
            ClusterNames.LedgerType,
            entity => entity == LedgerDirectory.EntityId
                ? Props.Create(() => new LedgerDirectory())
                : Props.Create(() => new ReputationActor(new DeviceId(entity), time)),
            ClusterShardingSettings.Create(system),
            new LedgerExtractor());
    }
}
