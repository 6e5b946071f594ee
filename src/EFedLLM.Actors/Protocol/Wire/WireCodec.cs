using Google.Protobuf;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>How one message type travels.</summary>
internal sealed class WireCodec
{
    private readonly Func<object, ActorPaths, byte[]> _encode;
    private readonly Func<byte[], ActorPaths, object> _decode;

    /// <summary>With a framing of its own.</summary>
    /// <param name="type">The message type.</param>
    /// <param name="manifest">Names the type on the wire and on disk: for ever.</param>
    /// <param name="maxBytes">A longer payload is refused unread.</param>
    /// <param name="encode">Message to payload.</param>
    /// <param name="decode">Payload to message; throws <see cref="MalformedMessageException"/> or <see cref="InvalidProtocolBufferException"/>.</param>
    public WireCodec(Type type, string manifest, int maxBytes, Func<object, ActorPaths, byte[]> encode, Func<byte[], ActorPaths, object> decode)
    {
        (Type, Manifest, MaxBytes, _encode, _decode) = (type, manifest, maxBytes, encode, decode);
    }

    /// <summary>The message type.</summary>
    public Type Type { get; }

    /// <summary>Names the type on the wire and on disk: for ever.</summary>
    public string Manifest { get; }

    /// <summary>A longer payload is refused unread.</summary>
    public int MaxBytes { get; }

    /// <summary>A message that is one protobuf message.</summary>
    /// <typeparam name="TMessage">The message type.</typeparam>
    /// <typeparam name="TForm">Its protobuf form.</typeparam>
    public static WireCodec Of<TMessage, TForm>(
        string manifest, int maxBytes, MessageParser<TForm> parser, Func<TMessage, ActorPaths, TForm> encode, Func<TForm, ActorPaths, TMessage> decode)
        where TMessage : class
        where TForm : IMessage<TForm>
    {
        var strict = parser.WithDiscardUnknownFields(true);
        return new WireCodec(
            typeof(TMessage),
            manifest,
            maxBytes,
            (message, paths) => encode((TMessage)message, paths).ToByteArray(),
            (bytes, paths) => decode(strict.ParseFrom(bytes), paths));
    }

    /// <summary>The payload of <paramref name="message"/>.</summary>
    /// <exception cref="ArgumentException">It would be longer than any receiver accepts.</exception>
    public byte[] Encode(object message, ActorPaths paths)
    {
        var bytes = _encode(message, paths);
        return bytes.Length <= MaxBytes
            ? bytes
            : throw new ArgumentException($"A {Type.Name} of {bytes.Length} bytes is longer than the {MaxBytes} bytes that receivers accept.", nameof(message));
    }

    /// <summary>The message in <paramref name="bytes"/>.</summary>
    /// <exception cref="MalformedMessageException">There is none.</exception>
    public object Decode(byte[] bytes, ActorPaths paths)
    {
        if (bytes.Length > MaxBytes)
        {
            throw new MalformedMessageException($"{Type.Name}: {bytes.Length} bytes are more than the {MaxBytes} it may have.");
        }

        try
        {
            return _decode(bytes, paths);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new MalformedMessageException($"{Type.Name}: not a protobuf message: {e.Message}", e);
        }
        catch (MalformedMessageException e)
        {
            throw new MalformedMessageException($"{Type.Name}: {e.Message}", e);
        }
    }
}
