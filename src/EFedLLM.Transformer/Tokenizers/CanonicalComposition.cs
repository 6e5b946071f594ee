using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>
/// Unicode normalisation form C (Unicode Standard Annex 15): decompose canonically, order combining marks, compose.
/// <see cref="string.Normalize()"/> silently changes nothing under the invariant culture, so it cannot be used here.
/// </summary>
internal static class CanonicalComposition
{
    private const int HangulBase = 0xAC00;
    private const int HangulCount = 11172;
    private const int LeadBase = 0x1100;
    private const int LeadCount = 19;
    private const int VowelBase = 0x1161;
    private const int VowelCount = 21;
    private const int TrailBase = 0x11A7;
    private const int TrailCount = 28;

    /// <summary>No character below this one decomposes into what would be composed otherwise, or combines with one before it.</summary>
    private const char FirstAffected = '\u0300';

    private static readonly FrozenDictionary<int, byte> Classes = ReadClasses();
    private static readonly FrozenDictionary<int, int[]> Decompositions;
    private static readonly FrozenDictionary<(int First, int Second), int> Compositions;

    static CanonicalComposition()
    {
        var decompositions = new Dictionary<int, int[]>();
        var compositions = new Dictionary<(int, int), int>();
        foreach (var entry in NormalizationData.Decompositions.Split(','))
        {
            var numbers = Array.ConvertAll(entry.TrimStart('-').Split(' '), Hex);
            decompositions.Add(numbers[0], numbers[1..]);
            if (entry[0] != '-')
            {
                compositions.Add((numbers[1], numbers[2]), numbers[0]);
            }
        }

        Decompositions = decompositions.ToFrozenDictionary();
        Compositions = compositions.ToFrozenDictionary();
    }

    /// <summary>The text in form C. Unpaired surrogates become U+FFFD.</summary>
    public static string Apply(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', (char)(FirstAffected - 1)))
        {
            return text;
        }

        var characters = Decomposed(text);
        Compose(characters);
        return Text(characters);
    }

    /// <summary>The text in form D: decomposed, and the marks of each letter in order. Unpaired surrogates become U+FFFD.</summary>
    public static string Decompose(string text) => Ascii.IsValid(text) ? text : Text(Decomposed(text));

    private static List<int> Decomposed(string text)
    {
        var characters = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, characters);
        }

        Order(characters);
        return characters;
    }

    private static string Text(List<int> characters)
    {
        var result = new StringBuilder(characters.Count);
        foreach (var character in characters)
        {
            result.Append(new Rune(character));
        }

        return result.ToString();
    }

    private static void Decompose(int character, List<int> output)
    {
        var hangul = character - HangulBase;
        if (hangul is >= 0 and < HangulCount)
        {
            output.Add(LeadBase + hangul / (VowelCount * TrailCount));
            output.Add(VowelBase + hangul % (VowelCount * TrailCount) / TrailCount);
            if (hangul % TrailCount != 0)
            {
                output.Add(TrailBase + hangul % TrailCount);
            }
        }
        else if (Decompositions.TryGetValue(character, out var parts))
        {
            foreach (var part in parts)
            {
                Decompose(part, output);
            }
        }
        else
        {
            output.Add(character);
        }
    }

    /// <summary>Sorts every run of combining marks by class, keeping the order of equal ones.</summary>
    private static void Order(List<int> characters)
    {
        for (var start = 0; start < characters.Count; start++)
        {
            if (Class(characters[start]) == 0)
            {
                continue;
            }

            var end = start + 1;
            while (end < characters.Count && Class(characters[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                // A stable sort: texts with thousands of marks on one letter must not take quadratic time.
                var run = characters.GetRange(start, end - start).OrderBy(Class).ToList();
                for (var i = 0; i < run.Count; i++)
                {
                    characters[start + i] = run[i];
                }
            }

            start = end - 1;
        }
    }

    private static void Compose(List<int> characters)
    {
        var starter = -1;
        var kept = 0;
        var lastClass = 0;
        foreach (var character in characters.ToArray())
        {
            var combining = Class(character);
            var adjacent = starter == kept - 1;
            if (starter >= 0 && (adjacent || (combining != 0 && lastClass < combining)) && TryCompose(characters[starter], character, out var composed))
            {
                characters[starter] = composed;
                continue;
            }

            if (combining == 0)
            {
                starter = kept;
            }

            lastClass = combining;
            characters[kept++] = character;
        }

        characters.RemoveRange(kept, characters.Count - kept);
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        if (first - LeadBase is >= 0 and < LeadCount && second - VowelBase is >= 0 and < VowelCount)
        {
            composed = HangulBase + ((first - LeadBase) * VowelCount + second - VowelBase) * TrailCount;
            return true;
        }

        if (first - HangulBase is >= 0 and < HangulCount && (first - HangulBase) % TrailCount == 0 && second - TrailBase is > 0 and < TrailCount)
        {
            composed = first + second - TrailBase;
            return true;
        }

        return Compositions.TryGetValue((first, second), out composed);
    }

    private static int Class(int character) => character >= FirstAffected && Classes.TryGetValue(character, out var combining) ? combining : 0;

    private static FrozenDictionary<int, byte> ReadClasses()
    {
        var classes = new Dictionary<int, byte>();
        foreach (var entry in NormalizationData.CombiningClasses.Split(','))
        {
            var parts = entry.Split(' ');
            for (var character = Hex(parts[0]); character <= Hex(parts[^2]); character++)
            {
                classes.Add(character, byte.Parse(parts[^1]));
            }
        }

        return classes.ToFrozenDictionary();
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber);
}
