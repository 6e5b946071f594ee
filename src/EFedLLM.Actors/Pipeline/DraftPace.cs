namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// How many tokens to guess ahead: more while guesses are right, and none for a while, each time for longer, when they are wrong, so that
/// a text that repeats nothing is as fast as without.
/// </summary>
/// <param name="most">Most drafts of a step, at least 1.</param>
internal sealed class DraftPace(int most)
{
    /// <summary>So many drafts are tried first, and after a wrong guess.</summary>
    public const int Fewest = 2;

    /// <summary>For so many tokens nothing is guessed after the first wrong guess.</summary>
    public const int ShortestPause = 8;

    /// <summary>For so many at most.</summary>
    public const int LongestPause = 256;

    private int _length = Math.Min(Fewest, most);
    private int _pause = ShortestPause;
    private int _wait;

    /// <summary>Most drafts of the next step; 0 for none.</summary>
    public int Next => _wait > 0 ? 0 : _length;

    /// <summary>A step came back.</summary>
    /// <param name="drafted">Drafts that it had.</param>
    /// <param name="accepted">Those of them that were right; one token more came out.</param>
    public void Learn(int drafted, int accepted)
    {
        if (drafted == 0)
        {
            _wait = Math.Max(0, _wait - 1);
        }
        else if (accepted == 0)
        {
            (_wait, _pause, _length) = (_pause, Math.Min(_pause * 2, LongestPause), Math.Min(Fewest, most));
        }
        else
        {
            // A guess that was wholly right may go on; of one that was partly right about as much will be.
            _length = Math.Clamp(accepted == drafted ? drafted * 2 : accepted, Math.Min(Fewest, most), most);
            _pause = accepted == drafted ? ShortestPause : _pause;
        }
    }
}
