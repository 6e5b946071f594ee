using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Reputation;

/// <summary>What a report must look like and what it is worth.</summary>
internal static class WorkRules
{
    /// <summary>Credit for each position computed through one unit of a model: a thousand of them earn 1.</summary>
    public const double RewardPerLayerToken = 0.001;

    /// <summary>Credit lost by a session that ended because the device did not answer: it may be the network's fault.</summary>
    public const double TimeOutPenalty = 1;

    /// <summary>Credit lost by a session that ended because the device failed or answered nonsense, and by a file that was not the one asked for.</summary>
    public const double FailurePenalty = 4;

    /// <summary>How long ago work may be: a ledger may have been away, but not for longer.</summary>
    public static TimeSpan MostDelay { get; } = TimeSpan.FromDays(30);

    /// <summary>What is wrong with a report, or null.</summary>
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

    /// <summary>The entry for a report. Work follows from shapes alone: positions times units. A session that did not end well earns nothing.</summary>
    /// <param name="report">A report without a <see cref="Problem"/>.</param>
    /// <param name="now">The ledger's time: a report from its future is from now, and none is older than <see cref="MostDelay"/>.</param>
    /// <param name="trust">By what a check is judged.</param>
    public static WorkCounted Count(RecordWork report, DateTimeOffset now, TrustSettings trust)
    {
        var earliest = now - MostDelay;
        return new WorkCounted(
            report.Id,
            report.Device,
            report.Session,
            report.Model,
            report.Range,
            report.Outcome,
            report.Tokens,
            (report.At > now ? now : report.At < earliest ? earliest : report.At).ToUniversalTime(),
            report.Outcome == WorkOutcome.Served ? LayerTokens(report.Range, report.Tokens) * RewardPerLayerToken : 0,
            report.Outcome switch { WorkOutcome.TimedOut => TimeOutPenalty, WorkOutcome.Failed or WorkOutcome.Corrupt => FailurePenalty, _ => 0 },
            report.Check,
            report.Check is { } check ? CheckTerms.Of(check.Outcome, trust) : null,
            now.ToUniversalTime());
    }

    /// <summary>The work of computing positions through a range.</summary>
    public static long LayerTokens(LayerRange range, int tokens) => (long)tokens * range.Count;
}
