namespace EFedLLM.Actors.Trust.Figures;

/// <summary>What devices that cheat delivered until they were excluded.</summary>
/// <param name="Tier">The standing with which they began to cheat.</param>
/// <param name="Rate">The share of units that was checked while nothing spoke against them.</param>
/// <param name="CheatRate">The probability that a position was wrong.</param>
/// <param name="Runs">Number of simulated devices.</param>
/// <param name="MeanTokens">Positions that one delivered, right and wrong, on average.</param>
/// <param name="MedianTokens">The median.</param>
/// <param name="P95Tokens">What 95 of 100 did not exceed.</param>
/// <param name="ExcludedShare">The share of them that was excluded at all; the others count with <see cref="ExposureSimulation.MostTokens"/>.</param>
public sealed record Exposure(
    TrustTier Tier, double Rate, double CheatRate, int Runs, double MeanTokens, double MedianTokens, double P95Tokens, double ExcludedShare)
{
    /// <summary>Wrong ones among <see cref="MeanTokens"/>: each position is wrong with the same probability, whatever was before it, so the means have that ratio too (Wald's identity).</summary>
    public double MeanWrongTokens => MeanTokens * CheatRate;
}
