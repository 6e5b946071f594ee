using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>The time of an exclusion was over.</summary>
/// <param name="Role">In which role.</param>
/// <param name="At">When the ledger saw it, by its clock.</param>
internal sealed record DeviceReturned(TrustRole Role, DateTimeOffset At) : HistoryPoint, ILedgerStored;
