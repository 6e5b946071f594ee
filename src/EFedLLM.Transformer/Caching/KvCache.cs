using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Caching;

/// <summary>
/// The keys and values of one session on one shard, rounded to half precision (<see cref="FloatHalf"/>), for every transformer
/// layer of the shard's range. Paged: memory grows by <see cref="PagePositions"/> positions at a time, up to a limit fixed at
/// creation. Not thread-safe.
/// </summary>
public sealed partial class KvCache : IDisposable
{
    /// <summary>Positions in a page.</summary>
    public const int PagePositions = FloatKernels.PagePositions;

    /// <summary>Bytes of a number in a key or a value.</summary>
    public const int ValueBytes = sizeof(ushort);

    // Numbers of a key that are rounded before they go to the column of a page.
    private const int RoundedAtOnce = 64;

    // A page holds one layer's keys as [key/value heads, head size, positions], so that attention scores neighbouring
    // positions at once, and behind them its values as [key/value heads, positions, head size].
    private readonly List<Half[]> _pages = []; // [page, layer of the range]
    private readonly int _layers;
    private readonly int _rowValues;
    private int _length;
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
    public int Length
    {
        get => _length;
        internal set => (_length, Imported) = (value, 0);
    }

    /// <summary>Values that the keys of one layer have at one position, and as many its values: [key/value heads, head size].</summary>
    public int RowValues => _rowValues;

    /// <summary>Values that a position has: [layers of the range, 2 (key, value), key/value heads, head size]. None where the range has no layers, and of an encoder.</summary>
    public int PositionValues => 2 * _layers * _rowValues;

    /// <summary>Values of the next position that were imported: less than <see cref="PositionValues"/>. They are forgotten when that position comes otherwise.</summary>
    public int Imported { get; private set; }

    /// <summary>Bytes of keys and values allocated now: <see cref="BytesFor"/> of <see cref="Length"/>, or more while a step is computed and after one failed.</summary>
    public long AllocatedBytes => (long)_pages.Count * PageValues * ValueBytes;

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
        return 2L * ValueBytes * Layers(shape, range) * shape.KeyValueHeads * shape.HeadSize * PagePositions * pages;
    }

    /// <summary>Values that a position has in the cache of a session on a shard of this range, as <see cref="PositionValues"/>.</summary>
    public static int ValuesFor(ModelShape shape, LayerRange range)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return 2 * Layers(shape, range) * shape.KeyValueHeads * shape.HeadSize;
    }

    /// <summary>
    /// Copies what positions have out of the cache, as the bits that later positions attend to: a part of the block
    /// [positions, layers of the range, 2 (key, value), key/value heads, head size], keys already turned by their positions' angles.
    /// </summary>
    /// <param name="position">The position of the first value.</param>
    /// <param name="offset">Which of the position's values it is: a multiple of <see cref="RowValues"/>.</param>
    /// <param name="block">Filled to its end, with a multiple of <see cref="RowValues"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The cache does not hold all of it, or a key or a value would be cut.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    public void Export(int position, int offset, Span<Half> block)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckRows(offset, block.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        if (((long)position * PositionValues) + offset + block.Length > (long)Length * PositionValues)
        {
            throw new ArgumentOutOfRangeException(nameof(position), position, $"The cache holds {Length} positions of {PositionValues} values: not {block.Length} from value {offset} of position {position} on.");
        }

        for (; !block.IsEmpty; block = block[_rowValues..])
        {
            var (page, column) = (Page(offset / (2 * _rowValues), position), position % PagePositions);
            if (IsKey(offset))
            {
                ReadKey(page, column, block[.._rowValues]);
            }
            else
            {
                ReadValue(page, column, block[.._rowValues]);
            }

            (position, offset) = Next(position, offset);
        }
    }

    /// <summary>Takes what another cache of the same range exported as the values behind the last one: <see cref="Length"/> grows by each position that becomes whole.</summary>
    /// <param name="offset">Which of the next position's values is the first: <see cref="Imported"/>.</param>
    /// <param name="block">As <see cref="Export"/> gives it; a multiple of <see cref="RowValues"/>.</param>
    /// <exception cref="ArgumentException">The values do not follow those that are there. Nothing has changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A key or a value is cut, or there are more than fit the limit. Nothing has changed.</exception>
    /// <exception cref="InvalidDataException">A value is infinite or NaN. Nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    public void Import(int offset, ReadOnlySpan<Half> block)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckRows(offset, block.Length);
        if (offset != Imported)
        {
            throw new ArgumentException($"Value {offset} of position {Length} does not follow the {Imported} that were imported of it.", nameof(offset));
        }

        var whole = ((long)offset + block.Length + PositionValues - 1) / PositionValues;
        CheckRoom((int)Math.Min(whole, int.MaxValue));
        foreach (var value in block)
        {
            if (!Half.IsFinite(value))
            {
                throw new InvalidDataException($"A key or a value from position {Length} on is not finite.");
            }
        }

        Reserve((int)whole);
        for (; !block.IsEmpty; block = block[_rowValues..])
        {
            var (page, column) = (Page(offset / (2 * _rowValues), Length), Length % PagePositions);
            if (IsKey(offset))
            {
                WriteKey(page, column, 0, block[.._rowValues]);
            }
            else
            {
                for (var head = 0; head < Shape.KeyValueHeads; head++)
                {
                    block.Slice(head * Shape.HeadSize, Shape.HeadSize).CopyTo(Value(page, column, head));
                }
            }

            var (position, next) = Next(Length, offset);
            (Length, Imported, offset) = (position, next, next);
        }
    }

    /// <summary>Goes on behind positions of which nothing is kept.</summary>
    /// <exception cref="InvalidOperationException">The range has layers: what they keep of the positions is missing.</exception>
    /// <exception cref="ArgumentOutOfRangeException">That is beyond the limit.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    public void Skip(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        CheckRoom(count);
        Length = PositionValues == 0 ? Length + count : throw new InvalidOperationException($"Each position has {PositionValues} values here: import them.");
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

        Unshare(length);
    }

    /// <summary>Gives back all memory; the cache cannot be used any more.</summary>
    public void Dispose()
    {
        _disposed = true;
        Length = 0;
        _pages.Clear();
        _shared.Clear();
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
            _pages.Add(new Half[PageValues]);
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
    internal Half[] Page(int layer, int position) => _pages[position / PagePositions * _layers + layer];

    /// <summary>Writes the key and the value of a position, each [key/value heads, head size] and finite, rounded.</summary>
    internal void Write(int layer, int position, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
    {
        var (page, column) = (Page(layer, position), position % PagePositions);
        Span<Half> rounded = stackalloc Half[RoundedAtOnce];
        for (var first = 0; first < key.Length; first += RoundedAtOnce)
        {
            var part = key[first..Math.Min(first + RoundedAtOnce, key.Length)];
            FloatKernels.Best.Narrow(part, rounded);
            WriteKey(page, column, first, rounded[..part.Length]);
        }

        for (var head = 0; head < Shape.KeyValueHeads; head++)
        {
            FloatKernels.Best.Narrow(value.Slice(head * Shape.HeadSize, Shape.HeadSize), Value(page, column, head));
        }
    }

    /// <summary>Throws where a part of a block does not begin and end between keys and values.</summary>
    private void CheckRows(int offset, int count)
    {
        if (offset < 0 || offset >= PositionValues || count < 1 || offset % _rowValues != 0 || count % _rowValues != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{count} values from value {offset} of a position on are no whole keys and values of {_rowValues}, of which it has {PositionValues / _rowValues}.");
        }
    }

    private bool IsKey(int offset) => offset / _rowValues % 2 == 0;

    private (int Position, int Offset) Next(int position, int offset) => offset + _rowValues == PositionValues ? (position + 1, 0) : (position, offset + _rowValues);

    /// <summary>Writes the values from <paramref name="first"/> on of a key.</summary>
    private static void WriteKey(Half[] page, int column, int first, ReadOnlySpan<Half> key)
    {
        for (var i = 0; i < key.Length; i++)
        {
            page[(first + i) * PagePositions + column] = key[i];
        }
    }

    private static void ReadKey(Half[] page, int column, Span<Half> key)
    {
        for (var i = 0; i < key.Length; i++)
        {
            key[i] = page[i * PagePositions + column];
        }
    }

    private void ReadValue(Half[] page, int column, Span<Half> value)
    {
        for (var head = 0; head < Shape.KeyValueHeads; head++)
        {
            Value(page, column, head).CopyTo(value[(head * Shape.HeadSize)..]);
        }
    }

    private Span<Half> Value(Half[] page, int column, int head) => page.AsSpan(ValuesOffset + (head * PagePositions + column) * Shape.HeadSize, Shape.HeadSize);

    /// <summary>Layers whose keys and values are kept: of an encoder none, because each of its sequences is one step.</summary>
    private static int Layers(ModelShape shape, LayerRange range) => shape.Encoder is null ? range.EndLayer(shape.Layers) - range.FirstLayer : 0;

    private static int PagesFor(int positions) => (int)(((long)positions + PagePositions - 1) / PagePositions);
}
