namespace EFedLLM.Actors.Reputation;

/// <summary>What happened to a device that cannot change places with what came before and after it.</summary>
internal abstract record HistoryPoint;
