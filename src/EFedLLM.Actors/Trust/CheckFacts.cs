using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Trust;

/// <summary>What a check was about: part of a report to the ledger whose outcome is <c>Checked</c>.</summary>
/// <param name="Role">What the device is judged as.</param>
/// <param name="Outcome">What the check showed.</param>
/// <param name="Position">The first position of the unit.</param>
/// <param name="Verifier">Who recomputed it.</param>
/// <param name="Expected">The right root of the unit's output; all zero where nothing was recomputed.</param>
/// <param name="Found">The root that the device signed; all zero where it signed none.</param>
/// <param name="Proof">The content hash of what proves it; all zero where nothing is to be proven.</param>
/// <param name="Reason">Why, for people; empty for a check that passed.</param>
public sealed record CheckFacts(TrustRole Role, CheckOutcome Outcome, int Position, DeviceId Verifier, Digest Expected, Digest Found, Digest Proof, string Reason);
