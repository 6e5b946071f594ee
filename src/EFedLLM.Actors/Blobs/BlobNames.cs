using System.Buffers;
using System.Security.Cryptography;

namespace EFedLLM.Actors.Blobs;

/// <summary>What files of a store are called: by their SHA-256.</summary>
internal static class BlobNames
{
    /// <summary>Characters of a name.</summary>
    public const int Length = 2 * SHA256.HashSizeInBytes;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>Whether a text is 64 lower-case hexadecimal digits, and so no path to anywhere.</summary>
    public static bool IsName(string text) => text.Length == Length && !text.AsSpan().ContainsAnyExcept(HexDigits);
}
