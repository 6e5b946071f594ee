namespace EFedLLM.Actors.Layers;

/// <summary>The memory a device gives to KV caches and to activations that wait, shared by all its shards. Thread-safe: sessions are opened by actors and freed by the compute thread.</summary>
/// <remarks>What is kept for sessions to come takes a part of it, and makes room whenever a session or its outputs need that.</remarks>
internal sealed class CacheBudget
{
    private long _reserved;

    /// <summary>A budget of which nothing is reserved.</summary>
    /// <param name="total">The memory in bytes.</param>
    /// <param name="prefixShare">The part of it that pages of sessions that ended may take, 0 to 1; at 0 none are kept.</param>
    public CacheBudget(long total, double prefixShare = 0)
    {
        Total = total;
        Pages = new PrefixPages(this, (long)(total * prefixShare));
    }

    /// <summary>The memory in bytes.</summary>
    public long Total { get; }

    /// <summary>The pages that sessions to come may begin with.</summary>
    public PrefixPages Pages { get; }

    /// <summary>Bytes that sessions and kept pages have reserved.</summary>
    public long Reserved => Interlocked.Read(ref _reserved);

    /// <summary>Reserves memory, where it must of kept pages; false when there is not enough all the same. Then some of those may be gone.</summary>
    public bool TryReserve(long bytes) => TryReserve(bytes, 0);

    /// <summary>Reserves memory for what is useful and not needed: only where a quarter of the whole stays free for what is.</summary>
    public bool TryReserveSpare(long bytes) => TryReserve(bytes, Total / 4);

    /// <summary>Reserves memory that nobody has, not even kept pages; false, and nothing changed, when there is not enough.</summary>
    public bool TryReserveFree(long bytes) => Lacking(bytes, 0) == 0;

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
        while (Lacking(bytes, left) is var lacking and > 0)
        {
            if (bytes > Total - left || !Pages.Free(lacking))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Reserves memory and returns 0; or, when there is not enough, returns how much is missing.</summary>
    private long Lacking(long bytes, long left)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        while (true)
        {
            var reserved = Interlocked.Read(ref _reserved);
            if (bytes > Total - left - reserved)
            {
                return bytes - (Total - left - reserved);
            }

            if (Interlocked.CompareExchange(ref _reserved, reserved + bytes, reserved) == reserved)
            {
                return 0;
            }
        }
    }
}
