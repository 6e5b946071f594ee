namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// Guesses how a sequence of tokens goes on from itself: as it went on where its last few tokens stood before (prompt look-up decoding,
/// Saxena 2023). Texts that quote, rewrite or list say much twice.
/// </summary>
internal static class PromptLookup
{
    /// <summary>So many of the last tokens are looked for first.</summary>
    public const int LongestMatch = 3;

    /// <summary>So many at least: fewer stand everywhere and say nothing.</summary>
    public const int ShortestMatch = 2;

    /// <summary>So far back is looked, so that a step of a long session costs no more than one of any other.</summary>
    public const int Reach = 16 * 1024;

    /// <summary>Guesses. The longest match wins, and of several the latest; where what follows it ends, it is taken to repeat itself.</summary>
    /// <param name="tokens">The sequence.</param>
    /// <param name="drafts">Takes the guesses.</param>
    /// <returns>How many there are: all of <paramref name="drafts"/>, or none.</returns>
    public static int Draft(ReadOnlySpan<int> tokens, Span<int> drafts)
    {
        tokens = tokens[Math.Max(0, tokens.Length - Reach)..];
        for (var length = Math.Min(LongestMatch, tokens.Length - 1); length >= ShortestMatch; length--)
        {
            // The match may overlap the end that is looked for, but is not that end.
            if (tokens[..^1].LastIndexOf(tokens[^length..]) is >= 0 and var match)
            {
                var following = tokens[(match + length)..];
                for (var i = 0; i < drafts.Length; i++)
                {
                    drafts[i] = i < following.Length ? following[i] : drafts[i - following.Length];
                }

                return drafts.Length;
            }
        }

        return 0;
    }
}
