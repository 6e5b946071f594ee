using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Trust;

/// <summary>A device that may check others.</summary>
/// <param name="Device">The device.</param>
/// <param name="Owner">Whose it is, or null where nobody says: then it counts as somebody's of its own.</param>
/// <param name="Held">The units of the model that it has loaded.</param>
/// <param name="Tier">How far it is trusted as a verifier.</param>
/// <param name="IsProven">Whether enough of its own work was checked and found right: it is beyond its probation as a server.</param>
public sealed record VerifierCandidate(DeviceId Device, string? Owner, LayerRange Held, TrustTier Tier, bool IsProven = false);
