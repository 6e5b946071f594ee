using Akka;
using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>Starts the reporter of a node's work.</summary>
public static class WorkReporterStart
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Starts the reporter as <c>/user/reporter</c>: once for each node that reports. A node that leaves in order waits for its reports to be
    /// recorded, no longer than the phase may take; what waits even then is on disk, and is reported when the node starts again.
    /// </summary>
    /// <param name="system">The node.</param>
    /// <param name="ledger">As <see cref="LedgerStart.StartLedgerAsync(ActorSystem, DeviceKey, CancellationToken)"/> returns it.</param>
    /// <param name="outbox">The file in which reports wait; it lies in the node's data folder, which has one user at a time.</param>
    /// <param name="limits">How many may wait.</param>
    /// <param name="time">The clock of the reports.</param>
    /// <param name="key">The node's own: it signs what is reported, and earns nothing by what it checks itself.</param>
    /// <param name="view">The node's view, which goes by the hard failures that this node found until the ledger has them; null where nothing does.</param>
    /// <returns>Takes <see cref="WorkReport"/>, from this process only.</returns>
    /// <exception cref="LedgerUnavailableException">The file cannot be written; the message says why and what to do.</exception>
    public static async Task<IActorRef> StartWorkReporterAsync(this ActorSystem system, IActorRef ledger, string outbox, OutboxLimits limits, TimeProvider time, DeviceKey key, IActorRef? view = null)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(ledger);
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(key);
        var file = await Task.Run(() => OutboxFile.Open(outbox, limits)).ConfigureAwait(false);
        var (trust, cluster) = (TrustSettings.Read(system.Settings.Config), NodeIdentity.ClusterOf(system));
        var reporter = system.ActorOf(Props.Create(() => new WorkReporter(ledger, file, limits, time, FirstRetry, LastRetry, key, cluster, view, trust)), "reporter");
        system.RegisterOnTermination(() => file.CloseAsync());

        // After the gateway has answered its last prompt, before the ledger's shards are handed over.
        var shutdown = CoordinatedShutdown.Get(system);
        var patience = shutdown.Timeout(CoordinatedShutdown.PhaseServiceRequestsDone);
        shutdown.AddTask(CoordinatedShutdown.PhaseServiceRequestsDone, "efedllm-reports-are-recorded", async () =>
        {
            await reporter.FlushReportsAsync(patience).ConfigureAwait(false);
            return Done.Instance;
        });
        return reporter;
    }

    /// <summary>Waits until the ledger has every report that the reporter took.</summary>
    /// <param name="reporter">As <see cref="StartWorkReporterAsync"/> returns it.</param>
    /// <param name="patience">How long at most.</param>
    /// <returns>Whether the ledger has them.</returns>
    public static async Task<bool> FlushReportsAsync(this IActorRef reporter, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(reporter);
        try
        {
            await reporter.Ask<Done>(FlushReports.Instance, patience).ConfigureAwait(false);
            return true;
        }
        catch (AskTimeoutException)
        {
            return false;
        }
    }
}
