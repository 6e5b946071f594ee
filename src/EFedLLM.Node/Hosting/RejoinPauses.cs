namespace EFedLLM.Node.Hosting;

/// <summary>How long a node that its cluster removed waits before each attempt to join again.</summary>
internal static class RejoinPauses
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    /// <summary>The pause before an attempt: half a second, then twice as long each time, half a minute at most.</summary>
    /// <param name="attempt">Number of the attempt, from 0.</param>
    public static TimeSpan Before(int attempt)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(attempt);
        var pause = First * Math.Pow(2, Math.Min(attempt, 16));
        return pause < Longest ? pause : Longest;
    }
}
