namespace EFedLLM.Actors.Layers;

/// <summary>The steps of one session that wait to be computed, in the order of their positions. Their neighbours are computed together, and a long one in parts: neither changes a bit.</summary>
internal sealed class StepQueue
{
    private readonly Queue<StepPiece> _pieces = new();
    private int _taken;

    /// <summary>Positions that wait.</summary>
    public int Rows { get; private set; }

    /// <summary>Whether the next that waits is a step with drafts.</summary>
    public bool IsDrafted => _pieces.TryPeek(out var piece) && piece.IsDrafted;

    /// <summary>Memory that waiting activations hold.</summary>
    public long Bytes { get; private set; }

    /// <summary>Appends what a message feeds.</summary>
    public void Add(StepPiece piece)
    {
        _pieces.Enqueue(piece);
        Rows += piece.Rows;
        Bytes += piece.Bytes;
    }

    /// <summary>
    /// Moves as many positions as possible into <paramref name="slot"/>: at most <paramref name="most"/>, and none behind one after which a
    /// token is drawn. A step with drafts goes whole and by itself, as soon as there is room for one position of it: what is drawn after
    /// them is one result.
    /// </summary>
    public void Take(int most, BatchSlot slot)
    {
        while (most > 0 && _pieces.TryPeek(out var piece))
        {
            if (piece.IsDrafted && slot.Rows > 0)
            {
                return;
            }

            slot.IsDrafted = piece.IsDrafted;
            var rows = piece.IsDrafted ? piece.Rows : Math.Min(most, piece.Rows - _taken);
            slot.Add(piece, _taken, rows);
            most -= rows;
            _taken += rows;
            Rows -= rows;
            if (_taken < piece.Rows)
            {
                return;
            }

            _pieces.Dequeue();
            _taken = 0;
            Bytes -= piece.Bytes;
            if (piece.Sample)
            {
                slot.Sample = true;
                return;
            }
        }
    }

    /// <summary>Forgets everything that waits.</summary>
    public void Clear()
    {
        _pieces.Clear();
        (_taken, Rows, Bytes) = (0, 0, 0);
    }
}
