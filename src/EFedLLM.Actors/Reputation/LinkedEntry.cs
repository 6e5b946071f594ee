using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// What stands in a row of the ledger's journal, or among its snapshots: an entry, and what binds it to all rows before it
/// (<see cref="JournalChain"/>). Rows from before there were links hold the entry alone.
/// </summary>
/// <param name="Entry">The entry, or the state of a snapshot; itself not linked.</param>
/// <param name="Body">SHA-256 of the entry's manifest and bytes, just as they are on disk.</param>
/// <param name="Previous">The link of the row before it; for a snapshot, of the last row that it holds. All zero where there is none, or none with a link.</param>
/// <param name="Link">Its own link.</param>
internal sealed record LinkedEntry(ILedgerStored Entry, Digest Body, Digest Previous, Digest Link) : ILedgerStored;
