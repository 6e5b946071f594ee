namespace EFedLLM.Actors.Layers;

/// <summary>The memory a device gives to KV caches and to activations that wait, shared by all its shards. Thread-safe: sessions are opened by actors and freed by the compute thread.</summary>
/// <param name="total">The memory in bytes.</param>
internal sealed class CacheBudget(long total)
{
    private long _reserved;

    /// <summary>The memory in bytes.</summary>
    public long Total => total;

    /// <summary>Bytes that sessions have reserved.</summary>
    public long Reserved => Interlocked.Read(ref _reserved);

    /// <summary>Reserves memory; false, and nothing changed, when there is not enough.</summary>
    public bool TryReserve(long bytes) => TryReserve(bytes, 0);

    /// <summary>Reserves memory for what is useful and not needed: only where a quarter of the whole stays free for what is.</summary>
    public bool TryReserveSpare(long bytes) => TryReserve(bytes, total / 4);

    /// <summary>Gives reserved memory back.</summary>
    public void Release(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (Interlocked.Add(ref _reserved, -bytes) < 0)
        {
            throw new InvalidOperationException("More cache memory was given back than reserved.");
        }
    }

    private bool TryReserve(long bytes, long left)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        while (true)
        {
            var reserved = Interlocked.Read(ref _reserved);
            if (bytes > total - left - reserved)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _reserved, reserved + bytes, reserved) == reserved)
            {
                return true;
            }
        }
    }
}
