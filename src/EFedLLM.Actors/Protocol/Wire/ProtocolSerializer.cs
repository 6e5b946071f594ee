using Akka.Actor;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Every <see cref="IProtocolMessage"/> as protobuf, named by two letters on the wire. <c>serialization.conf</c> binds it.</summary>
internal sealed class ProtocolSerializer(ExtendedActorSystem system)
    : WireSerializer(system, [.. SessionCodecs.All, .. AuditCodecs.All, .. GatewayCodecs.All, .. DeviceCodecs.All, .. LedgerCodecs.All, .. MembershipCodecs.All, .. LeaveCodecs.All, .. TrustCodecs.All, .. GoldenCodecs.All])
{
    /// <summary>The value of <see cref="Identifier"/>: the same on every node, for ever.</summary>
    public const int ProtocolIdentifier = 2411;

    /// <inheritdoc/>
    public override int Identifier => ProtocolIdentifier;

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, string manifest)
    {
        var message = base.FromBinary(bytes, manifest);
        if (message is ISessionMessage)
        {
            WorkMeters.AddReceived(bytes.Length);
        }

        return message;
    }
}
