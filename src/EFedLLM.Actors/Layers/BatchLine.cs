namespace EFedLLM.Actors.Layers;

/// <summary>The sessions of a shard that wait for the next batch, first come first served. Every one of them that can be in a batch is: a long prompt never pushes out somebody's next token.</summary>
internal sealed class BatchLine
{
    private readonly Queue<ShardSession> _line = new();

    /// <summary>Whether nobody waits.</summary>
    public bool IsEmpty => _line.Count == 0;

    /// <summary>Puts a session at the end of the line, if it has something to compute and does not stand there already.</summary>
    public void Join(ShardSession session)
    {
        if (session.CanCompute && !session.IsInLine)
        {
            session.IsInLine = true;
            _line.Enqueue(session);
        }
    }

    /// <summary>Forms a batch.</summary>
    /// <param name="rows">Most rows of it.</param>
    /// <param name="longRows">Most of them of sessions with more than one that waits, beside the one that each of these gets.</param>
    /// <param name="add">Puts at most so many rows of a session into the batch, at least one, and returns how many.</param>
    public void Fill(int rows, int longRows, Func<ShardSession, int, int> add)
    {
        for (var waiting = _line.Count; waiting > 0 && rows > 0; waiting--)
        {
            var session = _line.Dequeue();
            session.IsInLine = false;
            if (session.CanCompute)
            {
                // One row is kept free for each that stands behind.
                var isLong = session.IsLong;
                var taken = add(session, Math.Max(1, Math.Min(rows - (waiting - 1), isLong ? longRows : 1)));
                rows -= taken;
                longRows -= isLong ? taken : 0;
            }
        }
    }
}
