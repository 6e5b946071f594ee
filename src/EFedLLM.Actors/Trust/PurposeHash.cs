using System.Security.Cryptography;

namespace EFedLLM.Actors.Trust;

/// <summary>SHA-256 of a purpose and of what belongs to it: a value made for one purpose says nothing for another.</summary>
internal static class PurposeHash
{
    // A purpose, three digests and a session or a number.
    private const int MostBytes = 256;

    /// <summary>The hash of <paramref name="purpose"/>, a line of its own, and the digests behind it.</summary>
    /// <param name="purpose">ASCII, without a line's end.</param>
    /// <param name="parts">At most five, so that it fits the stack.</param>
    public static Digest Of(ReadOnlySpan<byte> purpose, params ReadOnlySpan<Digest> parts)
    {
        Span<byte> bytes = stackalloc byte[MostBytes];
        purpose.CopyTo(bytes);
        bytes[purpose.Length] = (byte)'\n';
        var length = purpose.Length + 1;
        foreach (var part in parts)
        {
            part.Write(bytes[length..]);
            length += Digest.Bytes;
        }

        return Digest.Of(bytes[..length]);
    }

    /// <summary>A secret nobody can guess: 32 random bytes.</summary>
    public static Digest Random()
    {
        Span<byte> bytes = stackalloc byte[Digest.Bytes];
        RandomNumberGenerator.Fill(bytes);
        return Digest.Read(bytes);
    }
}
