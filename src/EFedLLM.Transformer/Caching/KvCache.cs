using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Caching;

/// <summary>
/// The keys and values of one session on one shard, in float32, for every transformer layer of the shard's range. Paged:
/// memory grows by <see cref="PagePositions"/> positions at a time, up to a limit fixed at creation. Not thread-safe.
/// </summary>
public sealed class KvCache : IDisposable
{
    /// <summary>Positions in a page.</summary>
    public const int PagePositions = FloatKernels.PagePositions;

    // A page holds one layer's keys as [key/value heads, head size, positions], so that attention scores neighbouring
    // positions at once, and behind them its values as [key/value heads, positions, head size].
    private readonly List<float[]> _pages = []; // [page, layer of the range]
    private readonly int _layers;
    private readonly int _rowValues;
    private bool _disposed;

    internal KvCache(ModelShape shape, LayerRange range, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        if (limit > shape.ContextLength)
        {
            throw new ArgumentOutOfRangeException(nameof(limit), limit, $"The model's context has {shape.ContextLength} positions; ask for at most as many.");
        }

        (Shape, Range, Limit) = (shape, range, limit);
        _layers = Layers(shape, range);
        _rowValues = shape.KeyValueHeads * shape.HeadSize;
    }

    /// <summary>Most positions the cache may hold.</summary>
    public int Limit { get; }

    /// <summary>Positions held: the position the next step must begin at.</summary>
    public int Length { get; internal set; }

    /// <summary>Bytes of keys and values allocated now: <see cref="BytesFor"/> of <see cref="Length"/>, or more while a step is computed and after one failed.</summary>
    public long AllocatedBytes => (long)_pages.Count * PageValues * sizeof(float);

    internal ModelShape Shape { get; }

    internal LayerRange Range { get; }

    /// <summary>Where the values of a page begin.</summary>
    internal int ValuesOffset => _rowValues * PagePositions;

    private int PageValues => 2 * _rowValues * PagePositions;

    /// <summary>Bytes the cache of a session of <paramref name="positions"/> positions takes on a shard of this range: whole pages.</summary>
    public static long BytesFor(ModelShape shape, LayerRange range, int positions)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentOutOfRangeException.ThrowIfNegative(positions);
        var pages = ((long)positions + PagePositions - 1) / PagePositions;
        return 2L * sizeof(float) * Layers(shape, range) * shape.KeyValueHeads * shape.HeadSize * PagePositions * pages;
    }

    /// <summary>Forgets every position from <paramref name="length"/> on and gives back the pages that become empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative or larger than <see cref="Length"/>.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
        var kept = PagesFor(length) * _layers;
        if (kept < _pages.Count)
        {
            _pages.RemoveRange(kept, _pages.Count - kept);
        }
    }

    /// <summary>Gives back all memory; the cache cannot be used any more.</summary>
    public void Dispose()
    {
        _disposed = true;
        Length = 0;
        _pages.Clear();
    }

    /// <summary>Makes room for as many positions as are held and <paramref name="count"/> more.</summary>
    /// <exception cref="ArgumentOutOfRangeException">That is beyond the limit.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    internal void Reserve(int count)
    {
        CheckRoom(count);
        var wanted = PagesFor(Length + count) * _layers;
        while (_pages.Count < wanted)
        {
            _pages.Add(new float[PageValues]);
        }
    }

    /// <summary>Throws what <see cref="Reserve"/> would, and changes nothing.</summary>
    internal void CheckRoom(int count)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (count > Limit - Length)
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, $"The cache holds {Length} of at most {Limit} positions: there is no room for {count} more.");
        }
    }

    /// <summary>The page with a position, of a layer counted from the range's first.</summary>
    internal float[] Page(int layer, int position) => _pages[position / PagePositions * _layers + layer];

    /// <summary>Writes the key and the value of a position, each [key/value heads, head size].</summary>
    internal void Write(int layer, int position, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
    {
        var page = Page(layer, position);
        var column = position % PagePositions;
        for (var i = 0; i < key.Length; i++)
        {
            page[i * PagePositions + column] = key[i];
        }

        var size = Shape.HeadSize;
        for (var head = 0; head < Shape.KeyValueHeads; head++)
        {
            value.Slice(head * size, size).CopyTo(page.AsSpan(ValuesOffset + (head * PagePositions + column) * size));
        }
    }

    /// <summary>Layers whose keys and values are kept: of an encoder none, because each of its sequences is one step.</summary>
    private static int Layers(ModelShape shape, LayerRange range) => shape.Encoder is null ? range.EndLayer(shape.Layers) - range.FirstLayer : 0;

    private static int PagesFor(int positions) => (int)(((long)positions + PagePositions - 1) / PagePositions);
}
