namespace EFedLLM.Actors.Reputation;

/// <summary>Earnings, counted together.</summary>
/// <param name="Until">The end of the span of time in which they were counted.</param>
/// <param name="Amount">How much; above 0.</param>
/// <param name="Terms">By what they came to the account.</param>
internal sealed record EarnedRun(DateTimeOffset Until, double Amount, AccountTerms Terms);
