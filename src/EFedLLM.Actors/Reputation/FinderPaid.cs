namespace EFedLLM.Actors.Reputation;

/// <summary>The finder's own entity has on disk what he earns by a verdict.</summary>
/// <param name="Number">The <see cref="FinderReward.Number"/>.</param>
internal sealed record FinderPaid(long Number) : ILedgerStored;
