using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>How tokens become text, as <c>decoder</c> declares it.</summary>
internal sealed record DecodingPlan
{
    /// <summary>Every token is a sequence of bytes in GPT-2's alphabet.</summary>
    public bool IsByteLevel { get; init; }

    /// <summary>Replacements inside each token, in order.</summary>
    public IReadOnlyList<(string From, string To)> Replacements { get; init; } = [];

    /// <summary>Tokens like <c>&lt;0x0A&gt;</c> are bytes; a run of them that is not UTF-8 becomes one U+FFFD for each.</summary>
    public bool HasByteTokens { get; init; }

    /// <summary>A character of which up to <see cref="StripCount"/> are removed from the beginning of the text.</summary>
    public char StripCharacter { get; init; }

    /// <summary>See <see cref="StripCharacter"/>.</summary>
    public int StripCount { get; init; }

    /// <summary>A character that is removed from the first token and a space in the others, or null.</summary>
    public char? SpaceMark { get; init; }

    /// <summary>Whether the first token loses its <see cref="SpaceMark"/>s, instead of getting spaces for them.</summary>
    public bool DropsFirstMark { get; init; }

    /// <summary>What a token begins with that continues a word, where all others begin one; null where words do not matter.</summary>
    public string? ContinuingPrefix { get; init; }

    /// <summary>Whether a mark that ends a sentence or a part of it stands tight behind the word before. Goes with <see cref="ContinuingPrefix"/>.</summary>
    public bool TightensMarks { get; init; }

    /// <summary>Whether the first token of a text becomes another text than it does later.</summary>
    public bool DiffersAtFirst => DropsFirstMark || ContinuingPrefix is not null;

    /// <summary>A token as text, the first of a text or a later one.</summary>
    public string Text(string token, bool isFirst)
    {
        if (ContinuingPrefix is { } prefix)
        {
            return isFirst || (TightensMarks && token is "." or "?" or "!" or ",") ? token
                : token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..]
                : " " + token;
        }

        foreach (var (from, to) in Replacements)
        {
            token = token.Replace(from, to, StringComparison.Ordinal);
        }

        return SpaceMark is not { } mark ? token
            : isFirst && DropsFirstMark ? token.Replace(mark.ToString(), "", StringComparison.Ordinal)
            : token.Replace(mark, ' ');
    }

    /// <summary>The byte that a token stands for, or null.</summary>
    public byte? Byte(string token) =>
        HasByteTokens && token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var value)
            ? value
            : null;

    /// <summary>The bytes of a token in a byte-level vocabulary; a token outside its alphabet is its own text.</summary>
    public static byte[] Bytes(string token) => ByteAlphabet.Decode(token) ?? Encoding.UTF8.GetBytes(token);
}
