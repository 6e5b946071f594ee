using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Node.Api;

/// <summary>Puts the ledger's records into the form of the native interface.</summary>
internal static class LedgerFactsBuilder
{
    /// <summary>One device.</summary>
    public static LedgerDevice Build(DeviceRecord record) => new(
        record.Device.Value, record.FirstSeen, record.LastSeen, record.Sessions, record.Tokens, record.LayerTokens, record.TimeOuts, record.Failures,
        record.Reward, record.Penalty,
        [.. record.Recent.Select(entry => new LedgerLine(
            entry.Session.ToString(), Outcome(entry.Outcome), entry.Tokens, entry.Range.First, entry.Range.End, entry.At, Check(entry.Check), entry.Verdict?.Value, entry.Struck, entry.Reporter?.Value))],
        Standing(record.Server, record.ServerTier),
        Standing(record.Verifier, record.VerifierTier),
        record.Vested, record.Escrow, record.Unvested, record.Slashed);

    /// <summary>A standing in one word.</summary>
    public static string Standing(TrustTier tier) => tier switch
    {
        TrustTier.Probation => "probation",
        TrustTier.Junior => "junior",
        TrustTier.Full => "full",
        TrustTier.Quarantined => "quarantined",
        _ => "excluded",
    };

    /// <summary>What an excluded device is taken for, in one word; null where nobody can say.</summary>
    public static string? As(Exclusion? exclusion) => exclusion is null ? null : exclusion.IsFaulty ? "faulty" : "malicious";

    private static StandingFacts? Standing(RoleStanding standing, TrustTier tier) => standing.Equals(RoleStanding.New)
        ? null
        : new StandingFacts(Standing(tier), standing.Score, standing.Passed, standing.Soft, standing.Hard, standing.PassedTokens, standing.ExcludedAt,
            standing.Exclusion?.Until, As(standing.Exclusion), standing.Bans, standing.UnpaidTokens);

    private static CheckLine? Check(CheckFacts? check) => check is null ? null : new CheckLine(
        check.Role == TrustRole.Server ? "server" : "verifier",
        check.Outcome switch { CheckOutcome.Passed => "passed", CheckOutcome.Soft => "soft", _ => "hard" },
        check.Position,
        check.Verifier == default ? null : check.Verifier.Value,
        Text(check.Expected),
        Text(check.Found),
        Text(check.Proof),
        check.Reason.Length == 0 ? null : check.Reason);

    private static string? Text(Digest digest) => digest == default ? null : digest.ToString();

    private static string Outcome(WorkOutcome outcome) => outcome switch
    {
        WorkOutcome.Served => "served",
        WorkOutcome.TimedOut => "timedOut",
        WorkOutcome.Corrupt => "corrupt",
        WorkOutcome.Checked => "checked",
        WorkOutcome.Verified => "verified",
        WorkOutcome.Found => "found",
        _ => "failed",
    };
}
