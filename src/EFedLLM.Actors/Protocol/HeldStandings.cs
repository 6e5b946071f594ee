using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Protocol;

/// <summary>To a node's view actor, inside one process: what this node's own checks have proven of devices and no ledger has counted yet. It replaces what was said before.</summary>
/// <param name="Devices">How far each is trusted by that alone: in quarantine or excluded, in one of its roles at least.</param>
internal sealed record HeldStandings(ImmutableDictionary<DeviceId, HeldStanding> Devices) : INoSerializationVerificationNeeded;

/// <summary>How far a device is trusted by what this node has proven of it.</summary>
/// <param name="Server">As a server; probation where nothing is proven.</param>
/// <param name="Verifier">As a verifier.</param>
/// <param name="Score">The statistic of the server.</param>
internal readonly record struct HeldStanding(TrustTier Server, TrustTier Verifier, double Score);
