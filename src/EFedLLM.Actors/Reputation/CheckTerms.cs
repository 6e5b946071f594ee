using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>By what a check was judged on the day it was counted: other settings later do not judge it again.</summary>
/// <param name="Step">What it added to the statistic.</param>
/// <param name="ExcludeAt">The value of the statistic from which on a device was excluded.</param>
/// <param name="MostHardFailures">Hard failures within <paramref name="HardWindow"/> that excluded; 1 to <see cref="ProtocolLimits.HardTimes"/>.</param>
/// <param name="HardWindow">How long a hard failure counted.</param>
internal sealed record CheckTerms(double Step, double ExcludeAt, int MostHardFailures, TimeSpan HardWindow)
{
    /// <summary>Those of a check under some settings.</summary>
    public static CheckTerms Of(CheckOutcome outcome, TrustSettings settings) => new(
        outcome switch { CheckOutcome.Passed => settings.PassStep, CheckOutcome.Soft => settings.SoftStep, _ => settings.HardStep },
        settings.ExcludeAt,
        Math.Clamp(settings.MostHardFailures, 1, ProtocolLimits.HardTimes),
        settings.HardWindow);

    /// <summary>The settings that say the same of this check.</summary>
    public TrustSettings ToSettings() => new()
    {
        PassStep = Step,
        SoftStep = Step,
        HardStep = Step,
        ExcludeAt = ExcludeAt,
        MostHardFailures = MostHardFailures,
        HardWindow = HardWindow,
    };
}
