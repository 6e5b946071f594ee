namespace EFedLLM.Actors.Trust;

/// <summary>
/// How checks become standing: for each device and role one statistic, <c>S = max(0, S + l)</c>, a cumulative sum as Page (Biometrika 41,
/// 1954) has it, with a step for each outcome; and a plain count of hard failures for those who spread them thin.
/// </summary>
public static class StandingRules
{
    // Ten failures of the heaviest kind that settings allow.
    private const double MostScore = 1000;

    /// <summary>The standing after one more check.</summary>
    /// <param name="standing">The standing before it.</param>
    /// <param name="outcome">What the check showed.</param>
    /// <param name="tokens">Positions that were checked.</param>
    /// <param name="at">When.</param>
    /// <param name="settings">The steps and bounds.</param>
    public static RoleStanding After(RoleStanding standing, CheckOutcome outcome, int tokens, DateTimeOffset at, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(standing);
        ArgumentNullException.ThrowIfNull(settings);
        var step = outcome switch
        {
            CheckOutcome.Passed => settings.PassStep,
            CheckOutcome.Soft => settings.SoftStep,
            CheckOutcome.Hard => settings.HardStep,
            _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "It is no outcome of a check."),
        };
        var next = standing with
        {
            Score = Math.Max(0, standing.Score + step),
            Passed = standing.Passed + (outcome == CheckOutcome.Passed ? 1 : 0),
            PassedTokens = standing.PassedTokens + (outcome == CheckOutcome.Passed ? tokens : 0),
            UnpaidTokens = outcome == CheckOutcome.Passed ? Math.Max(0, standing.UnpaidTokens - tokens) : standing.UnpaidTokens,
            Soft = standing.Soft + (outcome == CheckOutcome.Soft ? 1 : 0),
            Hard = standing.Hard + (outcome == CheckOutcome.Hard ? 1 : 0),
            HardTimes = outcome == CheckOutcome.Hard ? [.. standing.HardTimes.Append(at).TakeLast(settings.MostHardFailures)] : standing.HardTimes,
            HardPassed = outcome == CheckOutcome.Hard ? [.. standing.HardPassed.Append(standing.Passed).TakeLast(settings.MostHardFailures)] : standing.HardPassed,
        };

        // A check that passes excludes nobody, whatever the bounds have become meanwhile: so any number of them in a row can be counted as one.
        return outcome != CheckOutcome.Passed && next.ExcludedAt is null && IsOut(next, at, settings) ? next with { ExcludedAt = at } : next;
    }

    /// <summary>The standing after checks in a row that all passed: the same as after one after the other.</summary>
    /// <param name="standing">The standing before them.</param>
    /// <param name="checks">How many.</param>
    /// <param name="tokens">Positions that were checked, all together.</param>
    /// <param name="step">What each adds to the statistic; below 0.</param>
    public static RoleStanding AfterPasses(RoleStanding standing, long checks, long tokens, double step)
    {
        ArgumentNullException.ThrowIfNull(standing);

        // Not a product: the sum is to be the same as of one after the other. It ends when nothing is left, and no score is so high but a damaged one.
        var score = standing.Score;
        if (score > MostScore || step > -1.0 / TrustSettings.StepsPerOne)
        {
            score = Math.Max(0, score + (Math.Min(step, 0) * checks));
        }
        else
        {
            for (var left = checks; left > 0 && score > 0; left--)
            {
                score = Math.Max(0, score + step);
            }
        }

        return standing with
        {
            Score = score,
            Passed = standing.Passed + checks,
            PassedTokens = standing.PassedTokens + tokens,
            UnpaidTokens = Math.Max(0, standing.UnpaidTokens - tokens),
        };
    }

    /// <summary>How far a device is trusted.</summary>
    /// <param name="standing">Its standing.</param>
    /// <param name="settings">The bounds.</param>
    public static TrustTier Tier(RoleStanding standing, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(standing);
        ArgumentNullException.ThrowIfNull(settings);
        return standing switch
        {
            { ExcludedAt: not null } => TrustTier.Excluded,
            { Score: > 0 } => TrustTier.Quarantined,
            { UnpaidTokens: > 0 } => TrustTier.Probation,
            _ when standing.PassedTokens < settings.ProbationTokens => TrustTier.Probation,
            _ when standing.PassedTokens < settings.ProbationTokens + ((settings.JuniorTokens - settings.ProbationTokens) * settings.JuniorRate) => TrustTier.Junior,
            _ => TrustTier.Full,
        };
    }

    /// <summary>The share of a device's units that is checked, 0 to 1.</summary>
    /// <param name="tier">How far it is trusted.</param>
    /// <param name="settings">The rates.</param>
    public static double Rate(TrustTier tier, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return tier switch { TrustTier.Full => settings.FullRate, TrustTier.Junior => settings.JuniorRate, _ => 1 };
    }

    private static bool IsOut(RoleStanding standing, DateTimeOffset at, TrustSettings settings)
        => standing.Score >= settings.ExcludeAt
            || (standing.HardTimes.Length == settings.MostHardFailures && at - standing.HardTimes[0] <= settings.HardWindow);
}
