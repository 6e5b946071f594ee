namespace EFedLLM.Actors.Reputation;

/// <summary>What the ledger writes to disk. Each has a form in <c>LedgerStore.proto</c>.</summary>
internal interface ILedgerStored;
