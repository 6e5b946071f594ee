using System.Globalization;
using System.Text;

namespace EFedLLM.Actors.Identity;

/// <summary>What an owner of devices may be called. Names are compared as they are, so what cannot be seen has no place in one.</summary>
public static class OwnerName
{
    /// <summary>Most characters.</summary>
    public const int MostCharacters = 64;

    /// <summary>What is wrong with a name, for people; null when it is one.</summary>
    public static string? Problem(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length is > 0 and <= MostCharacters && name.Trim() == name && name.EnumerateRunes().All(IsPrintable)
            ? null
            : $"an owner has 1 to {MostCharacters} printable characters, and no blanks around them";
    }

    /// <summary>Refuses what is no name; nobody's is none.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    internal static void Check(string? name)
    {
        if (name is not null && Problem(name) is { } problem)
        {
            throw new ArgumentException($"\"{name}\" cannot be: {problem}.", nameof(name));
        }
    }

    private static bool IsPrintable(Rune rune) => rune.Value == ' ' || (rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator));
}
