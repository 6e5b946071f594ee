using System.Text.RegularExpressions;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>A step of pre-tokenisation: cuts a piece of text into words, which no token reaches across.</summary>
internal abstract class TextSplitter
{
    /// <param name="text">The piece.</param>
    /// <param name="isFirst">Whether it stands at the beginning of the whole text.</param>
    /// <param name="output">Receives the words, none of them empty.</param>
    public abstract void Split(string text, bool isFirst, List<string> output);
}

/// <summary>What becomes of the matches of a pattern that splits.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Splits at the matches of a pattern.</summary>
/// <param name="pattern">The pattern.</param>
/// <param name="behavior">What becomes of the matches.</param>
/// <param name="invert">Whether what lies between the matches is treated as the matches, and the other way round.</param>
internal sealed class PatternSplitter(Regex pattern, SplitBehavior behavior, bool invert) : TextSplitter
{
    public override void Split(string text, bool isFirst, List<string> output)
    {
        var (shadow, map) = RuneShadow.Of(text);
        var pending = 0;
        var done = 0;
        var previousMatched = false;
        foreach (var match in pattern.EnumerateMatches(shadow))
        {
            if (match.Length > 0)
            {
                Take(At(match.Index), invert);
                Take(At(match.Index + match.Length), !invert);
            }
        }

        Take(text.Length, invert);
        Emit(text.Length);

        int At(int index) => map is null ? index : map[index];

        // Takes the part from `done` to `end`. What is not given out yet begins at `pending`.
        void Take(int end, bool matched)
        {
            if (end == done)
            {
                return;
            }

            var joins = behavior switch
            {
                SplitBehavior.MergedWithPrevious => matched && !previousMatched,
                SplitBehavior.MergedWithNext => previousMatched && !matched,
                SplitBehavior.Contiguous => matched == previousMatched,
                _ => false,
            };
            if (!joins)
            {
                Emit(done);
            }

            previousMatched = matched;
            done = end;
            if (matched && behavior == SplitBehavior.Removed)
            {
                pending = end;
            }
        }

        void Emit(int end)
        {
            if (end > pending)
            {
                output.Add(text[pending..end]);
            }

            pending = end;
        }
    }
}

/// <summary>Turns the bytes of each word into the characters that stand for them, after splitting by GPT-2's pattern.</summary>
/// <param name="addsPrefixSpace">Whether a piece that does not begin with a space gets one.</param>
/// <param name="splits">Whether to split, or only to turn bytes into characters.</param>
internal sealed partial class ByteLevelSplitter(bool addsPrefixSpace, bool splits) : TextSplitter
{
    private static readonly PatternSplitter Words = new(WordPattern(), SplitBehavior.Isolated, invert: false);

    public override void Split(string text, bool isFirst, List<string> output)
    {
        if (addsPrefixSpace && !text.StartsWith(' '))
        {
            text = " " + text;
        }

        var first = output.Count;
        if (splits)
        {
            Words.Split(text, isFirst, output);
        }
        else
        {
            output.Add(text);
        }

        Span<byte> shorter = stackalloc byte[256];
        for (var i = first; i < output.Count; i++)
        {
            var word = output[i];
            output[i] = word.Length <= shorter.Length / 3
                ? ByteAlphabet.Encode(shorter[..System.Text.Encoding.UTF8.GetBytes(word, shorter)])
                : ByteAlphabet.Encode(System.Text.Encoding.UTF8.GetBytes(word));
        }
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex WordPattern();
}

/// <summary>Replaces spaces by a visible mark, puts one in front, and splits before each.</summary>
/// <param name="mark">The mark, usually U+2581.</param>
/// <param name="prepends">Whether a mark is put in front of a piece: of none, of the first one of the text, or of every one.</param>
/// <param name="splits">Whether to split.</param>
internal sealed class MetaspaceSplitter(char mark, PrependScheme prepends, bool splits) : TextSplitter
{
    public override void Split(string text, bool isFirst, List<string> output)
    {
        text = text.Replace(' ', mark);
        if (!text.StartsWith(mark) && (prepends == PrependScheme.Always || (prepends == PrependScheme.First && isFirst)))
        {
            text = mark + text;
        }

        var start = 0;
        for (var at = 1; splits && at < text.Length; at++)
        {
            if (text[at] == mark)
            {
                output.Add(text[start..at]);
                start = at;
            }
        }

        if (start < text.Length)
        {
            output.Add(text[start..]);
        }
    }
}

/// <summary>Before which pieces of a text a space mark is put.</summary>
internal enum PrependScheme
{
    Never,
    First,
    Always,
}
