using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Google.Protobuf;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// What every stored proof has around it: a line that names the kind and version, the protobuf form, and the SHA-256 of both, so that what a
/// disk or a network changed is no proof. Nothing is allocated by what the bytes claim: every part is as long as the bytes that are there.
/// </summary>
internal static class ProofEnvelope
{
    /// <summary>The stored form.</summary>
    /// <param name="version">The line, with its end.</param>
    /// <param name="form">What is proven.</param>
    public static byte[] Close(ReadOnlySpan<byte> version, IMessage form)
    {
        var bytes = new byte[version.Length + form.CalculateSize() + Digest.Bytes];
        version.CopyTo(bytes);
        form.WriteTo(bytes.AsSpan(version.Length, bytes.Length - version.Length - Digest.Bytes));
        Digest.Of(bytes.AsSpan(0, bytes.Length - Digest.Bytes)).Write(bytes.AsSpan(bytes.Length - Digest.Bytes));
        return bytes;
    }

    /// <summary>What is in a stored form.</summary>
    /// <param name="version">The line that it has to begin with.</param>
    /// <param name="bytes">The stored form.</param>
    /// <param name="parser">Reads the form in it.</param>
    /// <param name="read">Makes the proof of that.</param>
    /// <exception cref="InvalidDataException">The bytes are none: cut off, changed, or of another version.</exception>
    public static TProof Open<TForm, TProof>(ReadOnlySpan<byte> version, ReadOnlySpan<byte> bytes, MessageParser<TForm> parser, Func<TForm, TProof> read)
        where TForm : IMessage<TForm>
    {
        if (bytes.Length > WorkProof.MostBytes || bytes.Length <= version.Length + Digest.Bytes || !bytes.StartsWith(version))
        {
            throw new InvalidDataException("It is no proof of this version.");
        }

        if (Digest.Of(bytes[..^Digest.Bytes]) != Digest.Read(bytes[^Digest.Bytes..]))
        {
            throw new InvalidDataException("It was changed since it was made, or is cut off.");
        }

        try
        {
            return read(parser.ParseFrom(bytes[version.Length..^Digest.Bytes]));
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or MalformedMessageException)
        {
            throw new InvalidDataException($"It is no proof: {error.Message}", error);
        }
    }

    /// <summary>Digests one behind the other, 32 bytes each.</summary>
    public static ByteString Write(ReadOnlySpan<Digest> digests)
    {
        var bytes = new byte[digests.Length * Digest.Bytes];
        for (var i = 0; i < digests.Length; i++)
        {
            digests[i].Write(bytes.AsSpan(i * Digest.Bytes));
        }

        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    /// <summary>The digests of positions of one unit.</summary>
    /// <exception cref="MalformedMessageException">They are more, or cut off.</exception>
    public static Digest[] Digests(ByteString bytes)
    {
        if (bytes.Length % Digest.Bytes != 0 || bytes.Length > UnitCut.Rows * Digest.Bytes)
        {
            throw new MalformedMessageException($"{bytes.Length} bytes are not the digests of one unit.");
        }

        var digests = new Digest[bytes.Length / Digest.Bytes];
        for (var i = 0; i < digests.Length; i++)
        {
            digests[i] = Digest.Read(bytes.Span.Slice(i * Digest.Bytes, Digest.Bytes));
        }

        return digests;
    }

    /// <summary>Activations as float32, little-endian.</summary>
    public static ByteString Write(ReadOnlyMemory<float> rows)
    {
        var bytes = new byte[rows.Length * sizeof(float)];
        HiddenFraming.CopyToLittleEndian(rows.Span, bytes, BitConverter.IsLittleEndian);
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    /// <summary>The activations of such bytes.</summary>
    /// <exception cref="MalformedMessageException">They are cut off.</exception>
    public static float[] Rows(ByteString bytes)
    {
        if (bytes.Length % sizeof(float) != 0)
        {
            throw new MalformedMessageException($"{bytes.Length} bytes are no float32 values.");
        }

        var rows = new float[bytes.Length / sizeof(float)];
        HiddenFraming.CopyFromLittleEndian<float>(bytes.Span, rows, BitConverter.IsLittleEndian);
        return rows;
    }
}
