using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>A report that waits until the ledger has it.</summary>
/// <param name="Position">Its place in the order of arrival, which outlives restarts.</param>
/// <param name="Report">The report as it is sent: its id never changes, so that it counts once however often it is sent.</param>
/// <param name="Body">The same as it is stored.</param>
internal sealed record OutboxEntry(long Position, RecordWork Report, byte[] Body);
