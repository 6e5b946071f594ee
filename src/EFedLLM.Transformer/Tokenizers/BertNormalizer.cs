using System.Globalization;
using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>
/// What BERT does to a text before it is cut (the normalizer <c>BertNormalizer</c> of huggingface/tokenizers): control characters
/// go, every white space becomes a space, CJK ideographs stand alone, accents and capitals go.
/// </summary>
/// <param name="cleans">Whether control characters are removed and white space made alike.</param>
/// <param name="separatesIdeographs">Whether spaces are put around each CJK ideograph.</param>
/// <param name="stripsAccents">Whether letters lose their marks.</param>
/// <param name="lowers">Whether capitals become small.</param>
internal sealed class BertNormalizer(bool cleans, bool separatesIdeographs, bool stripsAccents, bool lowers)
{
    /// <summary>The one letter whose small form is two characters whatever the language.</summary>
    private const int CapitalIWithDot = 0x130;

    /// <summary>Normalises a text.</summary>
    public string Apply(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (!cleans)
            {
                Separate(rune, result);
            }
            else if (!IsRemoved(rune))
            {
                Separate(Rune.IsWhiteSpace(rune) ? new Rune(' ') : rune, result);
            }
        }

        text = result.ToString();
        text = stripsAccents ? WithoutMarks(CanonicalComposition.Decompose(text)) : text;
        return lowers ? Lower(text) : text;
    }

    /// <summary>Whether a rune is punctuation to BERT: every ASCII sign counts, whatever Unicode makes of it.</summary>
    public static bool IsPunctuation(Rune rune) => rune.IsAscii
        ? rune.Value is > ' ' and < 0x7F && !Rune.IsLetterOrDigit(rune)
        : Rune.IsPunctuation(rune);

    private static bool IsRemoved(Rune rune) => rune.Value is 0 or 0xFFFD || (rune.Value is not ('\t' or '\n' or '\r') && Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse);

    private static bool IsIdeograph(int character) => character is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
        or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);

    private static string WithoutMarks(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
            {
                result.Append(rune);
            }
        }

        return result.ToString();
    }

    private static string Lower(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == CapitalIWithDot)
            {
                result.Append("i\u0307");
            }
            else
            {
                result.Append(Rune.ToLowerInvariant(rune));
            }
        }

        return result.ToString();
    }

    private void Separate(Rune rune, StringBuilder result)
    {
        if (separatesIdeographs && IsIdeograph(rune.Value))
        {
            result.Append(' ').Append(rune).Append(' ');
        }
        else
        {
            result.Append(rune);
        }
    }
}
