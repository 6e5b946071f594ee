namespace EFedLLM.Actors.Trust;

/// <summary>What was earned in a span of time and can still be lost.</summary>
/// <param name="Until">The end of the span: it vests by its latest part.</param>
/// <param name="Amount">How much; above 0.</param>
public readonly record struct Earning(DateTimeOffset Until, double Amount);
