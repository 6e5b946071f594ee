namespace EFedLLM.Node.Api;

/// <summary>Hears appeals against verdicts of the ledger.</summary>
internal interface IAppealApi
{
    /// <summary>Replays the proof of a verdict, and takes the verdict back where that does not hold.</summary>
    /// <param name="device">The device's id, or the beginning of it.</param>
    /// <param name="request">Which verdict.</param>
    /// <param name="cancellation">Gives up; what is decided by then stays decided.</param>
    /// <exception cref="Http.ApiException">There is no such device or verdict, or several are meant.</exception>
    /// <exception cref="TimeoutException">The ledger does not answer.</exception>
    Task<AppealResult> AppealAsync(string device, AppealRequest request, CancellationToken cancellation);
}
