namespace EFedLLM.Actors.Layers;

/// <summary>
/// Rows of a session's latest positions, kept on a shard: what it gave, so that a next hop that takes the place of a lost one can be given it
/// again without computing it again, or what it got, so that it can be asked for it. The rows are those of the messages: nothing is copied to
/// keep them.
/// </summary>
/// <param name="width">Values of a row.</param>
internal sealed class RowStore(int width)
{
    private readonly List<Piece> _pieces = [];

    /// <summary>The first position that is kept; the same as <see cref="End"/> when none is.</summary>
    public int From { get; private set; }

    /// <summary>One past the last position that is kept.</summary>
    public int End { get; private set; }

    /// <summary>Memory that the rows take, in bytes.</summary>
    public long Bytes => (long)(End - From) * width * sizeof(float);

    /// <summary>Appends rows. Where they do not follow what is kept, that is forgotten.</summary>
    /// <param name="position">Their first position.</param>
    /// <param name="hidden">The rows, [rows, width]. Never written to again.</param>
    public void Add(int position, ReadOnlyMemory<float> hidden)
    {
        if (position != End)
        {
            _pieces.Clear();
            From = position;
        }

        _pieces.Add(new Piece(position, hidden));
        End = position + (hidden.Length / width);
    }

    /// <summary>Forgets every position from <paramref name="length"/> on.</summary>
    public void Truncate(int length)
    {
        while (_pieces.Count > 0 && _pieces[^1].Position >= length)
        {
            _pieces.RemoveAt(_pieces.Count - 1);
        }

        if (length < End)
        {
            if (_pieces.Count > 0)
            {
                var last = _pieces[^1];
                _pieces[^1] = last with { Hidden = last.Hidden[..((length - last.Position) * width)] };
            }

            (From, End) = (Math.Min(From, length), length);
        }
    }

    /// <summary>Forgets everything.</summary>
    /// <param name="length">Where the next rows are expected.</param>
    public void Clear(int length)
    {
        _pieces.Clear();
        (From, End) = (length, length);
    }

    /// <summary>Copies the rows from <paramref name="position"/> on, all of which are kept, to <paramref name="destination"/>, [rows, width].</summary>
    public void CopyTo(int position, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(position, From);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position + (destination.Length / width), End);
        for (var piece = Find(position); !destination.IsEmpty; piece++)
        {
            var rows = _pieces[piece].Hidden.Span[((position - _pieces[piece].Position) * width)..];
            rows = rows[..Math.Min(rows.Length, destination.Length)];
            rows.CopyTo(destination);
            destination = destination[rows.Length..];
            position += rows.Length / width;
        }
    }

    /// <summary>The last piece that begins at <paramref name="position"/> or before.</summary>
    private int Find(int position)
    {
        var (low, high) = (0, _pieces.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = _pieces[middle].Position <= position ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private readonly record struct Piece(int Position, ReadOnlyMemory<float> Hidden);
}
