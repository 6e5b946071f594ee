using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Hosting;

/// <summary>Hears appeals at a gateway: looks the verdict up in the ledger, has its proof replayed, which has to be about just this device and session, and asks the ledger to take the verdict back where the proof does not hold.</summary>
/// <param name="ledger">The ledger.</param>
/// <param name="replay">Replays proofs; null where nothing does.</param>
internal sealed class AppealDesk(IActorRef ledger, IProofReplay? replay) : IAppealApi
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async Task<AppealResult> AppealAsync(string device, AppealRequest request, CancellationToken cancellation)
    {
        var record = await FindAsync(device, cancellation);
        var entry = Find(record, request);
        var verdict = entry?.Verdict ?? new VerdictId(request.Verdict);
        if (entry?.Struck is { } before)
        {
            return Result(record, verdict, "struck", $"It was taken back before. {before}", entry, record.ServerTier, record.VerifierTier);
        }

        var hasProof = entry?.Check is { } check && check.Proof != default;
        var outcome = hasProof && replay is not null ? await replay.ReplayAsync(entry!.Check!.Proof, new ProofSubject(record.Device, entry.Session), cancellation) : null;
        var (isStruck, text) = AppealRules.Decide(hasProof, outcome, request.Force, request.Reason);
        if (isStruck is not true)
        {
            return Result(record, verdict, isStruck is false ? "stands" : "undecided", text, entry, record.ServerTier, record.VerifierTier);
        }

        var answer = await AskAsync<StrikeAnswer>(new StrikeVerdict(record.Device, verdict, text), cancellation);
        return answer.Result switch
        {
            StrikeResult.Struck => Result(record, verdict, "struck", text, entry, answer.Server, answer.Verifier),
            StrikeResult.Ambiguous => throw new ApiException(StatusCodes.Status409Conflict, $"Two verdicts on the device are called {verdict}; neither was taken back.", code: "ambiguous"),
            _ => throw new ApiException(
                StatusCodes.Status409Conflict, $"The ledger knows no verdict {verdict} any more from which the device could be judged anew: only the latest can be taken back.", code: "too_old"),
        };
    }

    private static AppealResult Result(DeviceRecord record, VerdictId verdict, string outcome, string text, LedgerEntry? entry, TrustTier server, TrustTier verifier) => new(
        record.Device.Value, verdict.Value, outcome, text, entry?.Check is { } check && check.Proof != default ? check.Proof.ToString() : null,
        LedgerFactsBuilder.Standing(server), LedgerFactsBuilder.Standing(verifier));

    /// <summary>The verdict among the latest entries; null of one that is older, where it is named in whole and to be forced.</summary>
    private static LedgerEntry? Find(DeviceRecord record, AppealRequest request)
    {
        var matching = record.Recent.Where(entry => entry.Verdict?.Value.StartsWith(request.Verdict, StringComparison.Ordinal) == true).Take(2).ToList();
        return matching switch
        {
            [var only] => only,
            [] when request.Force && request.Verdict.Length == VerdictId.Digits => null,
            [] => throw new ApiException(
                StatusCodes.Status404NotFound,
                $"No verdict {request.Verdict} is among the latest entries of the device: efedllm ledger show {record.Device.Short} has those that can be appealed.",
                param: "verdict",
                code: "verdict_not_found"),
            _ => throw ApiException.Invalid("verdict", $"Several verdicts begin with {request.Verdict}: name one by more digits."),
        };
    }

    private async Task<DeviceRecord> FindAsync(string device, CancellationToken cancellation)
    {
        var known = (await AskAsync<LedgerDevices>(new ListLedgerDevices(), cancellation)).Devices;
        return known.Where(one => one.Value.StartsWith(device, StringComparison.Ordinal)).Take(2).ToList() switch
        {
            [var only] => await AskAsync<DeviceRecord>(new GetDeviceRecord(only), cancellation),
            [] => throw new ApiException(StatusCodes.Status404NotFound, $"The ledger knows no device {device}.", param: "device", code: "device_not_found"),
            _ => throw ApiException.Invalid("device", $"Several devices begin with {device}: name one by more digits of its id."),
        };
    }

    private Task<T> AskAsync<T>(object question, CancellationToken cancellation) => ledger.AskLedgerAsync<T>(question, Patience, cancellation);
}
