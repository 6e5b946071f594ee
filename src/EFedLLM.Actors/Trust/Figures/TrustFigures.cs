using System.Collections.Immutable;

namespace EFedLLM.Actors.Trust.Figures;

/// <summary>What settings lead to, computed from the rules that judge devices.</summary>
/// <param name="FalseExclusions">How likely honest devices with rare faults are lost.</param>
/// <param name="Exposures">What liars deliver until they are excluded, from each standing on.</param>
/// <param name="Grid">The same for how much they lie against how much is checked.</param>
/// <param name="LossPerGain">How many times of what it gained a device loses that always cheats with a full standing and a full escrow.</param>
/// <param name="LyingBorne">
/// Up to which share of verifiers that would let it pass honesty is the best reply even for a device that cheats only while nothing speaks
/// against it, so that it loses <see cref="TrustSettings.FirstSlash"/> at most. Below 0 it never is.
/// </param>
public sealed record TrustFigures(
    ImmutableArray<FalseExclusion> FalseExclusions, ImmutableArray<Exposure> Exposures, ImmutableArray<Exposure> Grid, double LossPerGain, double LyingBorne)
{
    /// <summary>Checks of an honest device.</summary>
    public const int Audits = 100_000;

    /// <summary>Fault rates of honest devices.</summary>
    public static ImmutableArray<double> FaultRates { get; } = [1e-6, 1e-5];

    /// <summary>How much liars lie.</summary>
    public static ImmutableArray<double> CheatRates { get; } = [0.01, 0.05, 0.2, 1];

    /// <summary>How much is checked.</summary>
    public static ImmutableArray<double> AuditRates { get; } = [0.01, 0.02, 0.05, 0.1];

    /// <summary>Computes the figures.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="runs">Simulated devices for each figure.</param>
    /// <param name="seed">Of everything random.</param>
    /// <param name="cancellation">Ends it.</param>
    public static TrustFigures Of(TrustSettings settings, int runs, int seed, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var exposures = ImmutableArray.Create(
            ExposureSimulation.Run(settings, TrustTier.Probation, 1, runs, seed, cancellation),
            ExposureSimulation.Run(settings, TrustTier.Junior, 1, runs, seed, cancellation),
            ExposureSimulation.Run(settings, TrustTier.Full, 1, runs, seed, cancellation),
            ExposureSimulation.Run(settings, TrustTier.Full, 0.01, runs, seed, cancellation));
        return new TrustFigures(
            [
                .. from fault in new[] { CheckOutcome.Hard, CheckOutcome.Soft }
                   from rate in FaultRates
                   select ExclusionOdds.Of(settings, fault, rate, Audits, cancellation),
            ],
            exposures,
            [
                .. from cheats in CheatRates
                   from checks in AuditRates
                   select ExposureSimulation.Run(
                       settings with { FullRate = checks, JuniorRate = Math.Max(checks, settings.JuniorRate) }, TrustTier.Full, cheats, runs, seed, cancellation),
            ],
            Incentive.IdentityTokens(settings) / exposures[2].MeanTokens,
            1 - (UnitCut.Rows / (settings.FullRate * settings.FirstSlash)));
    }
}
