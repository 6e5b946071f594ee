namespace EFedLLM.Actors.Layers;

/// <summary>A decision of a device that leaves.</summary>
/// <param name="MayGiveUp">Whether it gives up its ranges now: takes no new sessions, and goes when those it has are over. Else it serves as before.</param>
/// <param name="Words">What it waits for, or why it goes, for people.</param>
internal sealed record LeaveDecision(bool MayGiveUp, string Words);
