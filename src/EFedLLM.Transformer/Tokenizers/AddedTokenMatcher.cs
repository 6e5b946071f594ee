using System.Buffers;
using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Finds added tokens in a text: the leftmost, and of those the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<string>? _contents;
    private readonly Dictionary<char, AddedToken[]> _byFirst;

    public AddedTokenMatcher(IEnumerable<AddedToken> tokens)
    {
        var all = tokens.Where(token => token.Content.Length > 0).ToArray();
        _byFirst = all.GroupBy(token => token.Content[0]).ToDictionary(group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());
        _contents = all.Length == 0 ? null : SearchValues.Create([.. all.Select(token => token.Content)], StringComparison.Ordinal);
    }

    /// <summary>Cuts a text into tokens and what lies between them.</summary>
    /// <param name="text">The text.</param>
    /// <param name="isTrusted">Whether special tokens count in a range of the text.</param>
    /// <param name="output">Receives the parts in order: a token, or null for plain text that is not empty.</param>
    public void Split(string text, Func<int, int, bool> isTrusted, List<(AddedToken? Token, int Start, int End)> output)
    {
        var done = 0;
        var at = 0;
        while (_contents is not null && at < text.Length)
        {
            var found = text.AsSpan(at).IndexOfAny(_contents);
            if (found < 0)
            {
                break;
            }

            at += found;
            if (LongestAt(text, at, isTrusted) is not { } token)
            {
                at++;
                continue;
            }

            var (start, end) = (at, at + token.Content.Length);
            at = end;
            if (token.SingleWord && (IsWordBefore(text, start) || IsWordAt(text, end)))
            {
                continue;
            }

            while (token.StripsLeft && start > done && char.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.StripsRight && end < text.Length && char.IsWhiteSpace(text[end]))
            {
                end++;
            }

            AddPlain(done, start);
            output.Add((token, start, end));
            done = at = end;
        }

        AddPlain(done, text.Length);

        void AddPlain(int start, int end)
        {
            if (end > start)
            {
                output.Add((null, start, end));
            }
        }
    }

    private static bool IsWordBefore(string text, int at) =>
        at > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, at), out var rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool IsWordAt(string text, int at) =>
        at < text.Length && Rune.DecodeFromUtf16(text.AsSpan(at), out var rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool IsWord(Rune rune) => Rune.IsLetterOrDigit(rune) || rune.Value == '_';

    private AddedToken? LongestAt(string text, int at, Func<int, int, bool> isTrusted)
    {
        foreach (var token in _byFirst[text[at]])
        {
            if (text.AsSpan(at).StartsWith(token.Content, StringComparison.Ordinal) && (!token.IsSpecial || isTrusted(at, at + token.Content.Length)))
            {
                return token;
            }
        }

        return null;
    }
}
