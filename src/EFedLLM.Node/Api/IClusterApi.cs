namespace EFedLLM.Node.Api;

/// <summary>The facts behind <c>/efedllm/v1/cluster</c>, <c>/efedllm/v1/plan</c> and <c>/efedllm/v1/ledger</c>, as a gateway node gathers them.</summary>
internal interface IClusterApi
{
    /// <summary>The cluster as this node sees it.</summary>
    Task<ClusterFacts> ReadClusterAsync(CancellationToken cancellation);

    /// <summary>Who is to hold what, and who would if the devices were others.</summary>
    /// <exception cref="Http.ApiException">The question names a device that is not known, or more than one could be meant.</exception>
    Task<PlanFacts> ReadPlanAsync(PlanQuestion question, CancellationToken cancellation);

    /// <summary>Every device of the ledger.</summary>
    /// <exception cref="TimeoutException">The ledger does not answer.</exception>
    Task<LedgerFacts> ReadLedgerAsync(CancellationToken cancellation);

    /// <summary>One device of the ledger, by its id or the beginning of it; null where the ledger knows none.</summary>
    /// <exception cref="TimeoutException">The ledger does not answer.</exception>
    Task<LedgerDevice?> ReadLedgerAsync(string device, CancellationToken cancellation);

    /// <summary>Asks a device to leave the cluster; null where there is no such device.</summary>
    /// <param name="device">Its id.</param>
    /// <param name="cancellation">Gives up; the device leaves all the same.</param>
    /// <exception cref="TimeoutException">The device does not answer.</exception>
    /// <exception cref="InvalidOperationException">It refuses; the message says why.</exception>
    Task<LeaveFacts?> LeaveAsync(string device, CancellationToken cancellation);
}
