using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EFedLLM.Actors.Trust;

/// <summary>A SHA-256 value.</summary>
/// <param name="A">Its bytes 0 to 7, big-endian.</param>
/// <param name="B">8 to 15.</param>
/// <param name="C">16 to 23.</param>
/// <param name="D">24 to 31.</param>
public readonly record struct Digest(ulong A, ulong B, ulong C, ulong D)
{
    /// <summary>Bytes of a digest.</summary>
    public const int Bytes = SHA256.HashSizeInBytes;

    /// <summary>The one of 32 bytes.</summary>
    /// <exception cref="ArgumentException">There are more or fewer.</exception>
    public static Digest Read(ReadOnlySpan<byte> bytes) => bytes.Length == Bytes
        ? new Digest(
            BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]))
        : throw new ArgumentException($"A digest has {Bytes} bytes, not {bytes.Length}.", nameof(bytes));

    /// <summary>The SHA-256 of <paramref name="data"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> data)
    {
        Span<byte> hash = stackalloc byte[Bytes];
        SHA256.HashData(data, hash);
        return Read(hash);
    }

    /// <summary>Writes the 32 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, A);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], B);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], C);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], D);
    }

    /// <summary>The first 16 hexadecimal digits: enough for people to tell digests apart.</summary>
    public string Short => $"{A:x16}";

    /// <summary>64 hexadecimal digits.</summary>
    public override string ToString() => $"{A:x16}{B:x16}{C:x16}{D:x16}";
}
