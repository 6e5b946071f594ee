using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>
/// Stands where Akka's default JSON serializer would be, under its alias and identifier, and refuses both ways: that serializer
/// puts type names on the wire and constructs whatever class a peer names.
/// </summary>
internal sealed class RefusingJsonSerializer : Serializer
{
    /// <summary>As Akka makes a serializer without settings.</summary>
    public RefusingJsonSerializer(ExtendedActorSystem system)
        : base(system)
    {
    }

    /// <summary>As Akka makes a serializer with settings: its reference configuration has some for JSON.</summary>
    public RefusingJsonSerializer(ExtendedActorSystem system, Config settings)
        : base(system)
        => _ = settings;

    /// <summary>The identifier of Akka's JSON serializer.</summary>
    public override int Identifier => 1;

    /// <inheritdoc/>
    public override bool IncludeManifest => false;

    /// <inheritdoc/>
    /// <exception cref="SerializationException">Always.</exception>
    public override byte[] ToBinary(object obj) => throw new SerializationException(
        $"{obj?.GetType().FullName ?? "null"} has no serializer. JSON with type names is switched off: give the type a protobuf form in Protocol/Wire and a binding in serialization.conf.");

    /// <inheritdoc/>
    /// <exception cref="SerializationException">Always.</exception>
    public override object FromBinary(byte[] bytes, Type type) => throw new SerializationException(
        "A peer sent JSON with a type name, which is switched off: it runs another program, or means harm. Types travel in a protobuf form of Protocol/Wire.");
}
