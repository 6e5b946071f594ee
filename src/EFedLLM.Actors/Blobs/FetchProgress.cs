namespace EFedLLM.Actors.Blobs;

/// <summary>How far a fetch is. Thread-safe.</summary>
public sealed class FetchProgress
{
    private long _done;
    private long _total;

    /// <summary>Bytes that are there.</summary>
    public long DoneBytes => Math.Clamp(Interlocked.Read(ref _done), 0, TotalBytes);

    /// <summary>Bytes of all that is wanted; 0 while that is not known.</summary>
    public long TotalBytes => Interlocked.Read(ref _total);

    /// <summary>Bytes that were there from before.</summary>
    public long BeforeBytes { get; private set; }

    /// <summary>What is wanted, and what of it is there from before.</summary>
    internal void Begin(long done, long total)
    {
        BeforeBytes = done;
        Interlocked.Exchange(ref _total, total);
        Interlocked.Exchange(ref _done, done);
    }

    /// <summary>More came, or, below 0, what came counts for nothing.</summary>
    internal void Add(long bytes) => Interlocked.Add(ref _done, bytes);
}
