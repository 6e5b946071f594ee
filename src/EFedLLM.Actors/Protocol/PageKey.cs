using System.Buffers.Binary;

namespace EFedLLM.Actors.Protocol;

/// <summary>
/// The name of a page of keys and values: what the tokens until its end, and a secret of the gateway, hash to (<see cref="Pipeline.PrefixChain"/>). Who lacks the
/// secret can neither ask for a page of tokens that it guesses nor tell from a name what the tokens are.
/// </summary>
/// <param name="High">The first 8 bytes, big-endian.</param>
/// <param name="Low">The others.</param>
public readonly record struct PageKey(ulong High, ulong Low)
{
    /// <summary>Bytes of a name.</summary>
    public const int Bytes = 16;

    /// <summary>The one that <paramref name="bytes"/> begin with, at least 16.</summary>
    public static PageKey Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    /// <summary>Writes the 16 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
    }
}
