namespace EFedLLM.Actors.Trust.Figures;

/// <summary>How likely an honest device is excluded, which now and then fails a check by chance.</summary>
/// <param name="Fault">What its faults look like to a check.</param>
/// <param name="FaultRate">The probability of a fault in one check.</param>
/// <param name="Audits">Number of checks.</param>
/// <param name="ByScore">The probability that the statistic excludes it within them.</param>
/// <param name="ByCount">
/// The probability that the number of hard failures would, if all the checks fell within one <see cref="TrustSettings.HardWindow"/>. It is
/// no part of <paramref name="ByScore"/>.
/// </param>
public sealed record FalseExclusion(CheckOutcome Fault, double FaultRate, int Audits, double ByScore, double ByCount);
