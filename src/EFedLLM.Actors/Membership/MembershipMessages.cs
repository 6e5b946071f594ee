using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>To a node's membership actor, inside one process: spread a decision of the authority, then take the nodes of the device out. Answered by <see cref="RevocationSpread"/>.</summary>
/// <param name="Signed">The decision.</param>
/// <param name="Nodes">Nodes to be taken out.</param>
internal sealed record SpreadRevocation(SignedRevocation Signed, IReadOnlyList<Address> Nodes) : INoSerializationVerificationNeeded;

/// <summary>The decision counts on this node and is on its way to all.</summary>
/// <param name="Everywhere">Whether every member confirmed it in time; the others learn of it by gossip.</param>
internal sealed record RevocationSpread(bool Everywhere) : INoSerializationVerificationNeeded;
