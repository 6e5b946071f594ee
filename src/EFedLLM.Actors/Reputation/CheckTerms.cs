using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>By what a check was judged on the day it was counted: other settings later do not judge it again.</summary>
/// <param name="Step">What it added to the statistic.</param>
/// <param name="ExcludeAt">The value of the statistic from which on a device was excluded.</param>
/// <param name="MostHardFailures">Hard failures within <paramref name="HardWindow"/> that excluded; 1 to <see cref="ProtocolLimits.HardTimes"/>.</param>
/// <param name="HardWindow">How long a hard failure counted.</param>
/// <param name="Exclusion">What an exclusion meant, where the check was a failure; null in entries from when it was for good.</param>
/// <param name="HalfLife">After what time the check counts half when routes are chosen; zero in entries from before it counted there.</param>
/// <param name="FailureWeight">As how many passed checks a failure counts there.</param>
internal sealed record CheckTerms(double Step, double ExcludeAt, int MostHardFailures, TimeSpan HardWindow, ExclusionTerms? Exclusion = null, TimeSpan HalfLife = default, double FailureWeight = 0)
{
    /// <summary>Those of a check under some settings.</summary>
    public static CheckTerms Of(CheckOutcome outcome, TrustSettings settings) => new(
        outcome switch { CheckOutcome.Passed => settings.PassStep, CheckOutcome.Soft => settings.SoftStep, _ => settings.HardStep },
        settings.ExcludeAt,
        Math.Clamp(settings.MostHardFailures, 1, ProtocolLimits.HardTimes),
        settings.HardWindow,
        outcome == CheckOutcome.Passed ? null : new ExclusionTerms(settings.Ban, settings.BanGrowth, settings.ReturnScore, settings.JuniorTokens, settings.FaultyPasses),
        settings.HalfLife,
        settings.FailureWeight);

    /// <summary>The settings that say the same of this check.</summary>
    public TrustSettings ToSettings()
    {
        var settings = new TrustSettings
        {
            PassStep = Step,
            SoftStep = Step,
            HardStep = Step,
            ExcludeAt = ExcludeAt,
            MostHardFailures = MostHardFailures,
            HardWindow = HardWindow,
            HalfLife = HalfLife,
            FailureWeight = FailureWeight,
        };
        return Exclusion is { } exclusion
            ? settings with
            {
                Ban = exclusion.Ban,
                BanGrowth = exclusion.BanGrowth,
                ReturnScore = exclusion.ReturnScore,
                JuniorTokens = exclusion.UnpaidTokens,
                FaultyPasses = exclusion.FaultyPasses,
            }
            : settings;
    }
}

/// <summary>What an exclusion meant on the day a failure was counted.</summary>
/// <param name="Ban">How long a liar is banned for the first time, and a broken device each time.</param>
/// <param name="BanGrowth">By what the ban grows with each further one; at least 1.</param>
/// <param name="ReturnScore">With what part of the bound the statistic starts again; 0 to below 1.</param>
/// <param name="UnpaidTokens">Positions in checks that have to pass until it earns again.</param>
/// <param name="FaultyPasses">So many checks pass between the hard failures of one that is taken for broken; 0 in entries from before anybody looked.</param>
internal sealed record ExclusionTerms(TimeSpan Ban, double BanGrowth, double ReturnScore, int UnpaidTokens, int FaultyPasses);
