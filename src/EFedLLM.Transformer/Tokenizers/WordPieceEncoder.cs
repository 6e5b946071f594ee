using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>
/// WordPiece (Schuster and Nakajima, "Japanese and Korean Voice Search", 2012; as in BERT): takes the longest token that
/// begins the word, then again from there with the prefix of continuing pieces. A word that cannot be spelled so, or is too long, is unknown.
/// </summary>
/// <remarks>
/// The tokenizer of Microsoft.ML.Tokenizers gives the same ids for plain text, but strips accents through ICU, which is not there
/// under the invariant culture, drops tabs and signs such as $, and takes no vocabulary with gaps: so its whole way is walked here.
/// </remarks>
internal sealed class WordPieceEncoder : IWordEncoder
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _words;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _continuing;
    private readonly int _unknown;
    private readonly int _longestWord;
    private readonly int _longestToken;

    /// <param name="vocabulary">Tokens and ids.</param>
    /// <param name="prefix">What a token begins with that continues a word; may be empty.</param>
    /// <param name="unknown">The id of an unknown word.</param>
    /// <param name="longestWord">Characters (Unicode scalar values) of the longest word that is not unknown.</param>
    public WordPieceEncoder(Dictionary<string, int> vocabulary, string prefix, int unknown, int longestWord)
    {
        var continuing = vocabulary
            .Where(token => token.Key.Length > prefix.Length && token.Key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(token => token.Key[prefix.Length..], token => token.Value, StringComparer.Ordinal);
        _words = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _continuing = continuing.GetAlternateLookup<ReadOnlySpan<char>>();
        (_unknown, _longestWord) = (unknown, longestWord);
        _longestToken = vocabulary.Keys.Max(token => token.Length);
    }

    public void Encode(ReadOnlySpan<char> word, List<int> output)
    {
        var first = output.Count;
        if (IsTooLong(word))
        {
            output.Add(_unknown);
            return;
        }

        for (var start = 0; start < word.Length;)
        {
            var tokens = start == 0 ? _words : _continuing;
            var end = Math.Min(word.Length, start + _longestToken);
            var id = 0;
            while (end > start && !tokens.TryGetValue(word[start..end], out id))
            {
                end--;
            }

            if (end == start)
            {
                output.RemoveRange(first, output.Count - first);
                output.Add(_unknown);
                return;
            }

            output.Add(id);
            start = end;
        }
    }

    private bool IsTooLong(ReadOnlySpan<char> word)
    {
        if (word.Length <= _longestWord)
        {
            return false;
        }

        var characters = 0;
        foreach (var _ in word.EnumerateRunes())
        {
            characters++;
        }

        return characters > _longestWord;
    }
}
