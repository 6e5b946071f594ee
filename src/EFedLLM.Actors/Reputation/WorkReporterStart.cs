using Akka.Actor;

namespace EFedLLM.Actors.Reputation;

/// <summary>Starts the reporter of a node's work.</summary>
public static class WorkReporterStart
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(30);

    /// <summary>Starts the reporter as <c>/user/reporter</c>: once for each node that reports.</summary>
    /// <param name="system">The node.</param>
    /// <param name="ledger">As <see cref="LedgerStart.StartLedger(ActorSystem)"/> returns it.</param>
    /// <param name="time">The clock of the reports.</param>
    /// <returns>Takes <see cref="Protocol.WorkReport"/>, from this process only.</returns>
    public static IActorRef StartWorkReporter(this ActorSystem system, IActorRef ledger, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(ledger);
        ArgumentNullException.ThrowIfNull(time);
        return system.ActorOf(Props.Create(() => new WorkReporter(ledger, time, FirstRetry, LastRetry)), "reporter");
    }
}
