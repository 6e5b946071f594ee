using Akka.Actor;
using EFedLLM.Actors.Protocol.Wire;

namespace EFedLLM.Actors.Reputation;

/// <summary>Every <see cref="ILedgerStored"/> as protobuf. <c>serialization.conf</c> binds it.</summary>
internal sealed class LedgerSerializer(ExtendedActorSystem system) : WireSerializer(system, LedgerStoreCodecs.All)
{
    /// <summary>The value of <see cref="Identifier"/>: it stands beside each entry on disk, so it is for ever.</summary>
    public const int LedgerIdentifier = 2412;

    /// <inheritdoc/>
    public override int Identifier => LedgerIdentifier;
}
