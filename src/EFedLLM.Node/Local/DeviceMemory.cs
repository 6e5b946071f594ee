namespace EFedLLM.Node.Local;

/// <summary>How a process divides its memory where it is no device of a cluster.</summary>
internal static class DeviceMemory
{
    // As efedllm.device.cache-share is set.
    private const double CacheShare = 0.25;

    /// <summary>Bytes for weights: a share stays for caches.</summary>
    /// <param name="memory">Bytes for both, or null for as much as they need.</param>
    public static long ForWeights(long? memory) => memory is { } bytes ? (long)(bytes * (1 - CacheShare)) : long.MaxValue;
}
