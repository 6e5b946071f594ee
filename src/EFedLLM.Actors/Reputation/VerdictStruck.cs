using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>A verdict was taken back: what follows from the device's history is as if it had never been.</summary>
/// <param name="Verdict">Which.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="At">When, by the ledger's clock.</param>
internal sealed record VerdictStruck(VerdictId Verdict, string Reason, DateTimeOffset At) : ILedgerStored;
