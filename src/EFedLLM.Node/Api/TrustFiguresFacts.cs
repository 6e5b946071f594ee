namespace EFedLLM.Node.Api;

/// <summary>What a node's trust settings lead to, as <c>efedllm trust figures --json</c> prints it.</summary>
/// <param name="HonestLost">How likely honest devices with rare faults are lost.</param>
/// <param name="Liars">What liars deliver until they are excluded, from each standing on.</param>
/// <param name="Grid">The same with a full standing, for how much they lie against how much is checked.</param>
/// <param name="LossPerGain">How many times of what it gained a device loses that always lies with a full standing.</param>
/// <param name="LyingBorne">The share of lying verifiers up to which lying never pays, even for the most careful.</param>
internal sealed record TrustFiguresFacts(
    IReadOnlyList<HonestLostRow> HonestLost, IReadOnlyList<LiarRow> Liars, IReadOnlyList<LiarRow> Grid, double LossPerGain, double LyingBorne);

/// <summary>How likely one kind of honest device is lost.</summary>
/// <param name="Fault"><c>hard</c> or <c>soft</c>.</param>
/// <param name="FaultRate">The probability of a fault in one check.</param>
/// <param name="Audits">Number of checks.</param>
/// <param name="ByScore">The probability that the statistic excludes it.</param>
/// <param name="ByCount">The probability that the count of hard failures would, if all the checks fell within its window.</param>
internal sealed record HonestLostRow(string Fault, double FaultRate, int Audits, double ByScore, double ByCount);

/// <summary>What one kind of liar delivers.</summary>
/// <param name="Standing">The standing with which it began.</param>
/// <param name="Rate">The share of its units that was checked while nothing spoke against it.</param>
/// <param name="CheatRate">The part of its positions that was wrong.</param>
/// <param name="MeanTokens">Positions it delivered, on average.</param>
/// <param name="MeanWrongTokens">Wrong ones among them.</param>
/// <param name="MedianTokens">The median.</param>
/// <param name="P95Tokens">What 95 of 100 did not exceed.</param>
/// <param name="ExcludedShare">The part of them that was excluded at all.</param>
internal sealed record LiarRow(
    string Standing, double Rate, double CheatRate, double MeanTokens, double MeanWrongTokens, double MedianTokens, double P95Tokens, double ExcludedShare);
