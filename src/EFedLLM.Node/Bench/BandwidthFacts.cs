namespace EFedLLM.Node.Bench;

/// <summary>A measured bandwidth.</summary>
/// <param name="Threads">Threads that read.</param>
/// <param name="BytesPerSecond">Bytes per second of all of them.</param>
internal sealed record BandwidthFacts(int Threads, double BytesPerSecond);
