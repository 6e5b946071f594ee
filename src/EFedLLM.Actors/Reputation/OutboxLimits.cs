namespace EFedLLM.Actors.Reputation;

/// <summary>How much may wait for a ledger.</summary>
/// <param name="Reports">Most reports; a single device may have half of them.</param>
/// <param name="Bytes">Most bytes of them on disk.</param>
public sealed record OutboxLimits(int Reports, long Bytes);
