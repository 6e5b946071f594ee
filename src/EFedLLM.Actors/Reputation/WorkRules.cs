using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Reputation;

/// <summary>What a report must look like and what it is worth.</summary>
internal static class WorkRules
{
    /// <summary>Credit for each position computed through one unit of a model, where a report does not say how much work it was: a thousand of them earn 1.</summary>
    public const double RewardPerLayerToken = 0.001;

    /// <summary>Credit lost by a session that ended because the device did not answer: it may be the network's fault.</summary>
    public const double TimeOutPenalty = 1;

    /// <summary>Credit lost by a session that ended because the device failed or answered nonsense, and by a file that was not the one asked for.</summary>
    public const double FailurePenalty = 4;

    /// <summary>How long ago work may be: a ledger may have been away, but not for longer.</summary>
    public static TimeSpan MostDelay { get; } = TimeSpan.FromDays(30);

    /// <summary>What is wrong with a report, or null.</summary>
    public static string? Problem(RecordWork report)
        => (report.Outcome == WorkOutcome.Found) != (report.Amount > 0) ? "what a finder earns belongs to the outcome Found"
            : report.Amount is not (>= 0 and <= ProtocolLimits.Flop) ? $"{report.Amount} is no amount"
            : report.Size is { } size && !(size.Flop is >= 0 and <= ProtocolLimits.Flop && size.TokenFlop is >= 0 and <= ProtocolLimits.Flop) ? "nobody can do so much work"
            : Problem(report.Device, report.Range, report.Outcome, report.Tokens, report.Check);

    /// <summary>What is wrong with the parts of a report that all have, or null.</summary>
    public static string? Problem(DeviceId device, LayerRange range, WorkOutcome outcome, int tokens, CheckFacts? check)
        => range.First < 0 || range.First >= range.End || range.End > ProtocolLimits.Units ? $"the range {range} is none"
            : !Enum.IsDefined(outcome) ? $"the outcome {outcome} means nothing"
            : tokens is < 0 or > ProtocolLimits.SessionTokens ? $"{tokens} positions are impossible"
            : outcome != WorkOutcome.Checked ? check is null ? null : $"it says what a check showed beside the outcome {outcome}"
            : check is null ? "it does not say what the check showed"
            : tokens < 1 ? "a check of no positions shows nothing"
            : CheckProblem(device, tokens, check);

    private static string? CheckProblem(DeviceId device, int tokens, CheckFacts check)
        => !Enum.IsDefined(check.Role) ? $"the role {check.Role} means nothing"
            : !Enum.IsDefined(check.Outcome) ? $"the outcome of the check {check.Outcome} means nothing"
            : check.Position < 0 || check.Position > ProtocolLimits.SessionTokens - tokens ? $"{tokens} positions from {check.Position} on are impossible"
            : check.Role == TrustRole.Server && check.Verifier == device ? "the device would be its own verifier"
            : check.Reason.Length > ProtocolLimits.ReasonCharacters ? $"its reason is longer than {ProtocolLimits.ReasonCharacters} characters"
            : null;

    /// <summary>Whether an outcome says how good a device is, so that it must be the word of one that is trusted itself; the others are about what it earns.</summary>
    public static bool Judges(WorkOutcome outcome) => outcome is WorkOutcome.Checked or WorkOutcome.TimedOut or WorkOutcome.Failed or WorkOutcome.Corrupt;

    /// <summary>
    /// The entry for a report. What is earned follows from shapes alone, and from how far the device is trusted at that moment: where speed would
    /// count, nobody has measured it, so that factor is 1. A session that did not end well earns nothing.
    /// </summary>
    /// <param name="report">A report without a <see cref="Problem(RecordWork)"/>.</param>
    /// <param name="now">The ledger's time: a report from its future is from now, and none is older than <see cref="MostDelay"/>.</param>
    /// <param name="trust">By what a check is judged and work is paid.</param>
    /// <param name="conduct">The device as it is now.</param>
    public static WorkCounted Count(RecordWork report, DateTimeOffset now, TrustSettings trust, Conduct conduct)
    {
        var earliest = now - MostDelay;
        var reward = Reward(report, trust, conduct);
        return new WorkCounted(
            report.Id,
            report.Device,
            report.Session,
            report.Model,
            report.Range,
            report.Outcome,
            report.Tokens,
            (report.At > now ? now : report.At < earliest ? earliest : report.At).ToUniversalTime(),
            reward,
            report.Outcome switch { WorkOutcome.TimedOut => TimeOutPenalty, WorkOutcome.Failed or WorkOutcome.Corrupt => FailurePenalty, _ => 0 },
            report.Check,
            report.Check is { } check ? CheckTerms.Of(check.Outcome, trust) : null,
            now.ToUniversalTime(),
            reward > 0 || report.Check is { Outcome: not CheckOutcome.Passed } ? AccountTerms.Of(TokenReward(report, trust), trust) : null,
            report.Signed?.Reporter);
    }

    /// <summary>The work of computing positions through a range.</summary>
    public static long LayerTokens(LayerRange range, int tokens) => (long)tokens * range.Count;

    /// <summary>Who is paid for a check beside the device that was checked, and for what: whoever recomputed it and was right; null where that is nobody, who reports it, or a device of its owner.</summary>
    /// <param name="report">A report of a check.</param>
    /// <param name="self">Who reports: what it recomputes itself is its own affair; null where it has no id.</param>
    public static WorkReport? Verifying(WorkReport report, DeviceId? self)
        => report is { PaysVerifier: true, Check: { Role: TrustRole.Server, Outcome: CheckOutcome.Passed or CheckOutcome.Hard } check }
            && check.Verifier != default && check.Verifier != report.Device && check.Verifier != self
                ? report with { Device = check.Verifier, Outcome = WorkOutcome.Verified, Check = null }
                : null;

    /// <summary>
    /// A verifier is paid by its standing as a server as long as nothing speaks against it as a verifier: checks of verifiers show only those
    /// that were wrong, so that alone no verifier would ever get beyond its probation.
    /// </summary>
    private static double Reward(RecordWork report, TrustSettings trust, Conduct conduct)
    {
        var server = StandingRules.Tier(conduct.Server, trust);
        var verifier = StandingRules.Tier(conduct.Verifier, trust) is var tier and (TrustTier.Quarantined or TrustTier.Excluded) ? tier : server;
        return (report.Outcome, report.Size) switch
        {
            (WorkOutcome.Found, _) => report.Amount,
            (WorkOutcome.Served, { } size) => Incentive.Reward(size.Flop, server, 1, trust),
            (WorkOutcome.Verified, { } size) => Incentive.VerifierReward(size.Flop, verifier, trust),
            (WorkOutcome.Served, null) => LayerTokens(report.Range, report.Tokens) * RewardPerLayerToken * Incentive.TierFactor(server, trust),
            (WorkOutcome.Verified, null) => LayerTokens(report.Range, report.Tokens) * RewardPerLayerToken * Incentive.TierFactor(verifier, trust) * trust.VerifierShare,
            _ => 0,
        };
    }

    /// <summary>What a finder gets fills no escrow: it is no work.</summary>
    private static double TokenReward(RecordWork report, TrustSettings trust)
        => report.Outcome == WorkOutcome.Found ? 0 : report.Size is { } size ? size.TokenFlop / trust.ReferenceFlop : report.Range.Count * RewardPerLayerToken;
}
