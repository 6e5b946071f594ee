using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Protocol.Wire.Forms;
using Google.Protobuf;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>
/// Activations on the wire: the length of a protobuf header as a varint, the header, then the values as raw little-endian float32, or
/// float16 where they are keys and values. They are copied once on each side. What they are is not looked at here: a hop that gets activations that are not finite refuses them with
/// <see cref="StepFailed"/>, so that the pipeline learns why its step does not come back.
/// </summary>
internal static class HiddenFraming
{
    /// <summary>Most bytes of a message.</summary>
    public const int MostBytes = ProtocolLimits.RowBytes + MaxHeaderBytes + 2;

    /// <summary>Most rows of a message: of the narrowest stream there is.</summary>
    public const int MostRows = ProtocolLimits.ActivationBytes / sizeof(float);

    private const int MaxHeaderBytes = 2048;

    private static readonly MessageParser<FeedHiddenHeader> Parser = FeedHiddenHeader.Parser.WithDiscardUnknownFields(true);

    /// <summary>How <see cref="FeedHidden"/> travels.</summary>
    public static WireCodec Codec { get; } = new(typeof(FeedHidden), "fh", MostBytes, (message, _) => Encode((FeedHidden)message), (bytes, _) => Decode(bytes));

    /// <summary>A message.</summary>
    /// <param name="header">What is said of the rows.</param>
    /// <param name="rows">The rows.</param>
    public static byte[] Join<T>(IMessage header, ReadOnlySpan<T> rows)
        where T : unmanaged
    {
        var headerBytes = header.CalculateSize();
        var start = VarintBytes(headerBytes) + headerBytes;
        var result = GC.AllocateUninitializedArray<byte>(start + (rows.Length * Unsafe.SizeOf<T>()));
        var at = WriteVarint(result, headerBytes);
        header.WriteTo(result.AsSpan(at, headerBytes));
        CopyToLittleEndian(rows, result.AsSpan(start), BitConverter.IsLittleEndian);
        return result;
    }

    /// <summary>A message's header, and the bytes of its rows.</summary>
    /// <exception cref="MalformedMessageException">The header's length is not.</exception>
    /// <exception cref="InvalidProtocolBufferException">The header is none.</exception>
    public static T Split<T>(byte[] bytes, MessageParser<T> parser, out ReadOnlySpan<byte> payload)
        where T : IMessage<T>
    {
        var (headerBytes, at) = ReadVarint(bytes);
        if (headerBytes > bytes.Length - at)
        {
            throw new MalformedMessageException($"a header of {headerBytes} bytes does not fit {bytes.Length} bytes.");
        }

        payload = bytes.AsSpan(at + headerBytes);
        return parser.ParseFrom(bytes.AsSpan(at, headerBytes));
    }

    /// <summary>The values of so many rows.</summary>
    /// <param name="payload">Their bytes.</param>
    /// <param name="rows">Number of rows, at least 1.</param>
    /// <param name="isOne">Whether they cannot travel but as one message.</param>
    /// <exception cref="MalformedMessageException">They are not so many rows, or more than one message may carry.</exception>
    public static T[] Rows<T>(ReadOnlySpan<byte> payload, int rows, bool isOne = false)
        where T : unmanaged
    {
        if (payload.Length == 0 || payload.Length % (rows * Unsafe.SizeOf<T>()) != 0)
        {
            throw new MalformedMessageException($"{payload.Length} bytes of activations are not {rows} rows of values of {Unsafe.SizeOf<T>()} bytes.");
        }

        if (payload.Length > (rows == 1 || isOne ? ProtocolLimits.RowBytes : ProtocolLimits.ActivationBytes))
        {
            throw new MalformedMessageException($"{payload.Length} bytes of activations in {rows} rows are more than one message may carry.");
        }

        var values = GC.AllocateUninitializedArray<T>(payload.Length / Unsafe.SizeOf<T>());
        CopyFromLittleEndian<T>(payload, values, BitConverter.IsLittleEndian);
        return values;
    }

    private static byte[] Encode(FeedHidden message)
    {
        var header = new FeedHiddenHeader
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            Position = message.Position,
            Rows = message.Rows,
            Sample = message.Sample,
            Drafted = message.Drafted,
        };
        Values.Write(header.HopMicroseconds, message.HopMicroseconds);
        return Join(header, message.Hidden.Span);
    }

    private static FeedHidden Decode(byte[] bytes)
    {
        var header = Split(bytes, Parser, out var payload);
        var rows = header.Drafted ? Require.Within(header.Rows, 2, ProtocolLimits.Drafts + 1, "rows") : Require.Within(header.Rows, 1, MostRows, "rows");
        var position = Values.Position(header.Position);
        var message = (
            Session: Values.Session(header.Session),
            Epoch: Values.Epoch(header.Epoch),
            Hops: Values.HopMicroseconds(header.HopMicroseconds));
        var hidden = Rows<float>(payload, rows, header.Drafted);
        Require.Within(rows, 1, ProtocolLimits.SessionTokens - position, "rows");
        return new FeedHidden(message.Session, message.Epoch, position, rows, header.Sample, hidden, message.Hops, header.Drafted);
    }

    /// <summary>Copies <paramref name="values"/> to <paramref name="bytes"/>.</summary>
    /// <param name="values">The values.</param>
    /// <param name="bytes">As many bytes as they take in memory.</param>
    /// <param name="littleEndianHost">Whether this machine keeps numbers as the wire does.</param>
    internal static void CopyToLittleEndian<T>(ReadOnlySpan<T> values, Span<byte> bytes, bool littleEndianHost)
        where T : unmanaged => Copy<T>(MemoryMarshal.AsBytes(values), bytes, littleEndianHost);

    /// <summary>The reverse of <see cref="CopyToLittleEndian"/>.</summary>
    internal static void CopyFromLittleEndian<T>(ReadOnlySpan<byte> bytes, Span<T> values, bool littleEndianHost)
        where T : unmanaged => Copy<T>(bytes, MemoryMarshal.AsBytes(values), littleEndianHost);

    private static void Copy<T>(ReadOnlySpan<byte> source, Span<byte> target, bool littleEndianHost)
    {
        source.CopyTo(target);
        for (var at = 0; !littleEndianHost && at < source.Length; at += Unsafe.SizeOf<T>())
        {
            target.Slice(at, Unsafe.SizeOf<T>()).Reverse();
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
