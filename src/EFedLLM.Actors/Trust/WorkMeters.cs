using System.Diagnostics.Metrics;

namespace EFedLLM.Actors.Trust;

/// <summary>What this process's gateways have computed by others, how much of it a second time to check it, and what came over the wire. Counts cost nothing while nobody listens.</summary>
public static class WorkMeters
{
    /// <summary>The meter's name.</summary>
    public const string Name = "EFedLLM.Work";

    /// <summary>Positions times units that sessions were fed: what hops compute to serve.</summary>
    public const string Served = "efedllm.work.served";

    /// <summary>Positions times units that verifiers and judges were fed: what is computed to check.</summary>
    public const string Recomputed = "efedllm.work.recomputed";

    /// <summary>Microseconds of a processor that hops took to serve, as they say.</summary>
    public const string ServingTime = "efedllm.work.serving.time";

    /// <summary>Microseconds of a processor that verifiers and judges took to check, as they say.</summary>
    public const string CheckingTime = "efedllm.work.checking.time";

    /// <summary>Bytes of sessions' messages that arrived here, without the transport's own.</summary>
    public const string Received = "efedllm.work.received";

    private static readonly Meter Meter = new(Name);
    private static readonly Counter<long> ServedCounter = Meter.CreateCounter<long>(Served);
    private static readonly Counter<long> RecomputedCounter = Meter.CreateCounter<long>(Recomputed);
    private static readonly Counter<long> ServingTimeCounter = Meter.CreateCounter<long>(ServingTime, "us");
    private static readonly Counter<long> CheckingTimeCounter = Meter.CreateCounter<long>(CheckingTime, "us");
    private static readonly Counter<long> ReceivedCounter = Meter.CreateCounter<long>(Received, "By");

    /// <summary>A route was fed.</summary>
    internal static void AddServed(long layerPositions) => ServedCounter.Add(layerPositions);

    /// <summary>A check was fed.</summary>
    internal static void AddRecomputed(long layerPositions) => RecomputedCounter.Add(layerPositions);

    /// <summary>Hops computed something to serve.</summary>
    internal static void AddServingTime(long microseconds) => ServingTimeCounter.Add(microseconds);

    /// <summary>A unit was computed a second time.</summary>
    internal static void AddCheckingTime(long microseconds) => CheckingTimeCounter.Add(microseconds);

    /// <summary>A message arrived.</summary>
    internal static void AddReceived(long bytes) => ReceivedCounter.Add(bytes);
}
