using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.Api;

/// <summary>Puts the ledger's records into the form of the native interface.</summary>
internal static class LedgerFactsBuilder
{
    /// <summary>One device.</summary>
    public static LedgerDevice Build(DeviceRecord record) => new(
        record.Device.Value, record.FirstSeen, record.LastSeen, record.Sessions, record.Tokens, record.LayerTokens, record.TimeOuts, record.Failures,
        record.Reward, record.Penalty,
        [.. record.Recent.Select(entry => new LedgerLine(
            entry.Session.ToString(), Outcome(entry.Outcome), entry.Tokens, entry.Range.First, entry.Range.End, entry.At))]);

    private static string Outcome(WorkOutcome outcome) => outcome switch
    {
        WorkOutcome.Served => "served",
        WorkOutcome.TimedOut => "timedOut",
        WorkOutcome.Corrupt => "corrupt",
        _ => "failed",
    };
}
