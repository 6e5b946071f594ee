using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// What a session still has to send to the next hop, and how much of it may be under way. The next hop gives credit for each message
/// when it takes it, so neither the connection nor its mailbox ever holds more than a few of them.
/// </summary>
/// <param name="credit">Most messages under way.</param>
internal sealed class SendWindow(int credit)
{
    private readonly Queue<FeedHidden> _waiting = new();
    private readonly Queue<int> _underWay = new(credit);

    /// <summary>Whether everything was sent. Its credit may still be out.</summary>
    public bool IsEmpty => _waiting.Count == 0;

    /// <summary>Messages without credit yet.</summary>
    public int UnderWay => _underWay.Count;

    /// <summary>Appends a message.</summary>
    public void Add(FeedHidden message) => _waiting.Enqueue(message);

    /// <summary>The next message to send now, or null.</summary>
    public FeedHidden? Next()
    {
        if (_underWay.Count >= credit || !_waiting.TryDequeue(out var message))
        {
            return null;
        }

        _underWay.Enqueue(message.Position);
        return message;
    }

    /// <summary>Takes a place for a message that was not appended; false when too many are under way.</summary>
    /// <param name="position">The message's position.</param>
    public bool TryTake(int position)
    {
        if (_underWay.Count >= credit)
        {
            return false;
        }

        _underWay.Enqueue(position);
        return true;
    }

    /// <summary>Takes credit. Messages between two actors keep their order, so only the oldest can be meant; anything else is a double or a lie, and is passed over.</summary>
    /// <returns>Whether it was credit.</returns>
    public bool Acknowledge(int position) => _underWay.TryPeek(out var oldest) && oldest == position && _underWay.TryDequeue(out _);

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _waiting.Clear();
        _underWay.Clear();
    }
}
