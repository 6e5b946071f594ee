using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Trust;

/// <summary>What a receipt's trees have as leaves: what came in or went out at one position of a session. Nothing here allocates.</summary>
public static class PositionDigest
{
    private const int StackBytes = 4096;

    /// <summary>A token that came in at the first hop: SHA-256 of its id as int32, little-endian.</summary>
    public static Digest OfToken(int token)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, token);
        return Digest.Of(bytes);
    }

    /// <summary>A row of activations: SHA-256 of its values as float32, little-endian.</summary>
    /// <param name="row">[hidden].</param>
    public static Digest OfRow(ReadOnlySpan<float> row) => OfValues(MemoryMarshal.AsBytes(row), sizeof(float));

    /// <summary>The keys and values that a position adds to a cache: SHA-256 of its values as float16, little-endian.</summary>
    /// <param name="row">[layers, 2 (key, value), key/value heads, head size]; nothing where a range has no layers.</param>
    public static Digest OfRow(ReadOnlySpan<Half> row) => OfValues(MemoryMarshal.AsBytes(row), KvCache.ValueBytes);

    /// <summary>What the head drew: SHA-256 of the token's id as int32 and its log-probability as float32, little-endian. Where nothing was drawn, the digest is all zero.</summary>
    public static Digest OfDraw(int token, float logprob)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int) + sizeof(float)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, token);
        BinaryPrimitives.WriteSingleLittleEndian(bytes[sizeof(int)..], logprob);
        return Digest.Of(bytes);
    }

    /// <summary>What whoever recomputes a unit answers: SHA-256 of the key of whoever asks and, behind it, the roots of what goes out and of what is kept.</summary>
    /// <param name="key">The key of whoever asks.</param>
    /// <param name="outRoot">The root of what goes out (<see cref="Receipt.OutRoot"/>).</param>
    /// <param name="kvRoot">The root of what is kept (<see cref="Receipt.KvRoot"/>).</param>
    public static Digest OfAnswer(Digest key, Digest outRoot, Digest kvRoot)
    {
        Span<byte> bytes = stackalloc byte[3 * Digest.Bytes];
        key.Write(bytes);
        outRoot.Write(bytes[Digest.Bytes..]);
        kvRoot.Write(bytes[(2 * Digest.Bytes)..]);
        return Digest.Of(bytes);
    }

    private static Digest OfValues(ReadOnlySpan<byte> values, int valueBytes)
    {
        if (BitConverter.IsLittleEndian)
        {
            return Digest.Of(values);
        }

        Span<byte> bytes = values.Length <= StackBytes ? stackalloc byte[values.Length] : new byte[values.Length];
        values.CopyTo(bytes);
        for (var at = 0; at < bytes.Length; at += valueBytes)
        {
            bytes.Slice(at, valueBytes).Reverse();
        }

        return Digest.Of(bytes);
    }
}
