namespace EFedLLM.Node.Hosting;

/// <summary>How a node learns from its cluster that it is to leave, and tells whoever runs it what it waits for meanwhile.</summary>
internal sealed class LeaveRequest : IDisposable
{
    private readonly CancellationTokenSource _asked = new();

    /// <summary>Cancelled when a gateway asks.</summary>
    public CancellationToken Asked => _asked.Token;

    /// <summary>What a node that leaves waits for, and what else its person should know; on any thread.</summary>
    public event Action<string>? Told;

    /// <summary>A gateway asks.</summary>
    public void Ask()
    {
        try
        {
            // Whoever waits goes on on a thread of its own, not on the actor's that asks.
            _ = _asked.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The node has ended meanwhile.
        }
    }

    /// <summary>Tells whoever runs the node.</summary>
    public void Tell(string words) => Told?.Invoke(words);

    /// <inheritdoc/>
    public void Dispose() => _asked.Dispose();
}
