using System.Collections.Frozen;
using Akka.Actor;
using Akka.Serialization;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>
/// A serializer made of a table of codecs. Another part that keeps messages of its own on disk or sends them (the ledger's events)
/// derives from it with its own codecs, its own <see cref="Serializer.Identifier"/>, and its own lines in <c>serialization.conf</c>.
/// A manifest and the meaning of its fields never change once released: old data must stay readable.
/// </summary>
internal abstract class WireSerializer : SerializerWithStringManifest
{
    private readonly FrozenDictionary<Type, WireCodec> _byType;
    private readonly FrozenDictionary<string, WireCodec> _byManifest;
    private readonly ActorPaths _paths;

    /// <summary>For <paramref name="codecs"/>.</summary>
    protected WireSerializer(ExtendedActorSystem system, IReadOnlyCollection<WireCodec> codecs)
        : base(system)
    {
        _byType = codecs.ToFrozenDictionary(codec => codec.Type);
        _byManifest = codecs.ToFrozenDictionary(codec => codec.Manifest, StringComparer.Ordinal);
        _paths = new ActorPaths(system);
    }

    /// <inheritdoc/>
    public override string Manifest(object o) => CodecOf(o).Manifest;

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj) => CodecOf(obj).Encode(obj, _paths);

    /// <inheritdoc/>
    /// <exception cref="MalformedMessageException">The bytes are no such message.</exception>
    public override object FromBinary(byte[] bytes, string manifest)
        => manifest is not null && _byManifest.TryGetValue(manifest, out var codec)
            ? codec.Decode(bytes, _paths)
            : throw new MalformedMessageException($"There is no message with the manifest '{(manifest is { Length: > 32 } ? manifest[..32] : manifest)}'.");

    private WireCodec CodecOf(object message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return _byType.TryGetValue(message.GetType(), out var codec)
            ? codec
            : throw new ArgumentException($"{message.GetType()} has no protobuf form in {GetType().Name}: add one to Protocol/Wire.", nameof(message));
    }
}
