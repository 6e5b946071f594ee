namespace EFedLLM.Node.Api;

/// <summary>Body of <c>POST /efedllm/v1/ledger/{device}/appeal</c>.</summary>
/// <param name="Verdict">The verdict's id, or its first digits.</param>
/// <param name="Force">Whether it is to be taken back although no proof can be replayed.</param>
/// <param name="Reason">Why, where it is forced.</param>
internal sealed record AppealRequest(string Verdict, bool Force = false, string? Reason = null);

/// <summary>Answer to it.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="Verdict">The verdict's id.</param>
/// <param name="Outcome"><c>struck</c>: it is taken back. <c>stands</c>: its proof holds. <c>undecided</c>: nothing could be replayed, and nothing was changed.</param>
/// <param name="Text">What was found, or what is missing.</param>
/// <param name="Proof">The content hash of its proof; null where it has none.</param>
/// <param name="Standing">How far the device is trusted as a server now.</param>
/// <param name="VerifierStanding">How far it is trusted as a verifier now.</param>
internal sealed record AppealResult(string Device, string Verdict, string Outcome, string Text, string? Proof, string Standing, string VerifierStanding);
