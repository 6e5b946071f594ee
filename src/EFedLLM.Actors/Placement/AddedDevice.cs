namespace EFedLLM.Actors.Placement;

/// <summary>A device that is not there yet.</summary>
/// <param name="MemoryBytes">Memory that it would give to weights and caches.</param>
/// <param name="BytesPerSecond">Its speed; 0 counts as the slowest of the others.</param>
public sealed record AddedDevice(long MemoryBytes, double BytesPerSecond);
