using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Protocol.Wire.Forms;
using Google.Protobuf;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>
/// <see cref="FeedHidden"/> on the wire: the length of a protobuf header as a varint, the header, then the activations as raw
/// little-endian float32. They are copied once on each side. Their values are not looked at here: a hop that gets activations
/// that are not finite answers <see cref="StepFailed"/>, so that the pipeline learns why its step does not come back.
/// </summary>
internal static class HiddenFraming
{
    private const int MaxHeaderBytes = 2048;

    private static readonly MessageParser<FeedHiddenHeader> Parser = FeedHiddenHeader.Parser.WithDiscardUnknownFields(true);

    /// <summary>How the message travels.</summary>
    public static WireCodec Codec { get; } = new(
        typeof(FeedHidden),
        "fh",
        ProtocolLimits.RowBytes + MaxHeaderBytes + 2,
        (message, _) => Encode((FeedHidden)message),
        (bytes, _) => Decode(bytes));

    private static byte[] Encode(FeedHidden message)
    {
        var header = new FeedHiddenHeader
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            Position = message.Position,
            Rows = message.Rows,
            Sample = message.Sample,
        };
        Values.Write(header.HopMicroseconds, message.HopMicroseconds);

        var headerBytes = header.CalculateSize();
        var start = VarintBytes(headerBytes) + headerBytes;
        var result = GC.AllocateUninitializedArray<byte>(start + (message.Hidden.Length * sizeof(float)));
        var at = WriteVarint(result, headerBytes);
        header.WriteTo(result.AsSpan(at, headerBytes));
        CopyToLittleEndian(message.Hidden.Span, result.AsSpan(start), BitConverter.IsLittleEndian);
        return result;
    }

    private static FeedHidden Decode(byte[] bytes)
    {
        var (headerBytes, at) = ReadVarint(bytes);
        if (headerBytes > bytes.Length - at)
        {
            throw new MalformedMessageException($"a header of {headerBytes} bytes does not fit {bytes.Length} bytes.");
        }

        var header = Parser.ParseFrom(bytes.AsSpan(at, headerBytes));
        var payload = bytes.AsSpan(at + headerBytes);
        var rows = Require.Within(header.Rows, 1, ProtocolLimits.ActivationBytes / sizeof(float), "rows");
        if (payload.Length == 0 || payload.Length % (rows * sizeof(float)) != 0)
        {
            throw new MalformedMessageException($"{payload.Length} bytes of activations are not {rows} rows of float32.");
        }

        if (payload.Length > (rows == 1 ? ProtocolLimits.RowBytes : ProtocolLimits.ActivationBytes))
        {
            throw new MalformedMessageException($"{payload.Length} bytes of activations in {rows} rows are more than one message may carry.");
        }

        var position = Values.Position(header.Position);
        Require.Within(rows, 1, ProtocolLimits.SessionTokens - position, "rows");
        var message = (
            Session: Values.Session(header.Session),
            Epoch: Values.Epoch(header.Epoch),
            Hops: Values.HopMicroseconds(header.HopMicroseconds));
        var hidden = GC.AllocateUninitializedArray<float>(payload.Length / sizeof(float));
        CopyFromLittleEndian(payload, hidden, BitConverter.IsLittleEndian);
        return new FeedHidden(message.Session, message.Epoch, position, rows, header.Sample, hidden, message.Hops);
    }

    /// <summary>Copies <paramref name="values"/> to <paramref name="bytes"/>.</summary>
    /// <param name="values">The values.</param>
    /// <param name="bytes">Four bytes for each.</param>
    /// <param name="littleEndianHost">Whether this machine keeps numbers as the wire does.</param>
    internal static void CopyToLittleEndian(ReadOnlySpan<float> values, Span<byte> bytes, bool littleEndianHost)
    {
        if (littleEndianHost)
        {
            MemoryMarshal.AsBytes(values).CopyTo(bytes);
        }
        else
        {
            BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<float, int>(values), MemoryMarshal.Cast<byte, int>(bytes));
        }
    }

    /// <summary>The reverse of <see cref="CopyToLittleEndian"/>.</summary>
    internal static void CopyFromLittleEndian(ReadOnlySpan<byte> bytes, Span<float> values, bool littleEndianHost)
    {
        if (littleEndianHost)
        {
            bytes.CopyTo(MemoryMarshal.AsBytes(values));
        }
        else
        {
            BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<byte, int>(bytes), MemoryMarshal.Cast<float, int>(values));
        }
    }

    private static int VarintBytes(int value) => value < 1 << 7 ? 1 : 2;

    private static int WriteVarint(Span<byte> bytes, int value)
    {
        // Two bytes of seven bits hold every length up to MaxHeaderBytes.
        if (value < 1 << 7)
        {
            bytes[0] = (byte)value;
            return 1;
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxHeaderBytes);
        bytes[0] = (byte)(value | 0x80);
        bytes[1] = (byte)(value >> 7);
        return 2;
    }

    private static (int Value, int Bytes) ReadVarint(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 0 && bytes[0] < 0x80)
        {
            return (bytes[0], 1);
        }

        if (bytes.Length < 2 || bytes[1] >= 0x80)
        {
            throw new MalformedMessageException("the length of the header is cut off or longer than two bytes.");
        }

        var value = (bytes[0] & 0x7F) | (bytes[1] << 7);
        return value <= MaxHeaderBytes ? (value, 2) : throw new MalformedMessageException($"a header of {value} bytes is longer than {MaxHeaderBytes}.");
    }
}
