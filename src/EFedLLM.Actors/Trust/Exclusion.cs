namespace EFedLLM.Actors.Trust;

/// <summary>What an exclusion means, by the terms of the day on which it came about.</summary>
/// <param name="IsFaulty">Whether the device is taken for broken, so that it has to compute golden vectors rightly before it comes back; else it is taken for a liar.</param>
/// <param name="Until">When it may come back.</param>
/// <param name="ReturnScore">The statistic with which it starts again.</param>
/// <param name="UnpaidTokens">Positions in checks that have to pass until it earns again.</param>
public sealed record Exclusion(bool IsFaulty, DateTimeOffset Until, double ReturnScore, int UnpaidTokens);
