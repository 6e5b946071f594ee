using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>Starts the ledger.</summary>
public static class LedgerStart
{
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// On a node with the role ledger starts the ledger's entities, as soon as the cluster has let the node in and no other ledger node
    /// speaks against it; on any other starts the way to them at once.
    /// </summary>
    /// <param name="system">The node, set up from <see cref="LedgerStore.Settings"/>.</param>
    /// <param name="key">The node's own: a ledger node signs with it what finders earn.</param>
    /// <param name="cancellation">Gives up waiting for the cluster.</param>
    /// <returns>Takes <see cref="RecordWork"/>, <see cref="StrikeVerdict"/>, <see cref="GetDeviceRecord"/> and <see cref="ListLedgerDevices"/>.</returns>
    /// <exception cref="LedgerUnavailableException">Another ledger node is in the cluster beside which this one cannot run; the message says why and what to do. The node has left the cluster again.</exception>
    public static Task<IActorRef> StartLedgerAsync(this ActorSystem system, DeviceKey key, CancellationToken cancellation) => system.StartLedgerAsync(key, TimeProvider.System, cancellation);

    /// <summary>The same by another clock.</summary>
    internal static async Task<IActorRef> StartLedgerAsync(this ActorSystem system, DeviceKey key, TimeProvider time, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(key);
        var sharding = ClusterSharding.Get(system);
        var roles = Cluster.Get(system).SelfRoles;
        if (!roles.Contains(ClusterNames.Ledger))
        {
            return await sharding.StartProxyAsync(ClusterNames.LedgerType, ClusterNames.Ledger, new LedgerExtractor()).ConfigureAwait(false);
        }

        if (LedgerIdentity.Find(roles) is null)
        {
            throw new InvalidOperationException($"A ledger node is set up from the settings of its {nameof(LedgerStore)}.");
        }

        var admitted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        system.ActorOf(Props.Create(() => new LedgerGuard(admitted)), "ledger-guard");
        try
        {
            await admitted.Task.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (LedgerUnavailableException refusal)
        {
            // In order: as a member without entities it would be waited for by those that have some.
            await Task.WhenAny(CoordinatedShutdown.Get(system).Run(new CannotRunReason(refusal.Message)), Task.Delay(LeaveLimit, cancellation)).ConfigureAwait(false);
            throw;
        }

        var (trust, board, cluster) = (TrustSettings.Read(system.Settings.Config), new StandingBoard(system), NodeIdentity.ClusterOf(system));
        var examiner = system.ActorOf(Props.Create(() => new DeviceExaminer()), "examiner");
        var ledger = await sharding.StartAsync(
            ClusterNames.LedgerType,
            entity => entity == LedgerDirectory.EntityId
                ? Props.Create(() => new LedgerDirectory())
                : Props.Create(() => new ReputationActor(new DeviceId(entity), key, cluster, time, trust, board, examiner)),
            ClusterShardingSettings.Create(system),
            new LedgerExtractor()).ConfigureAwait(false);
        system.ActorOf(Props.Create(() => new StandingWatch(ledger, time)), "standing-watch");
        return ledger;
    }
}
