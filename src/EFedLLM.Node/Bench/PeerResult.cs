namespace EFedLLM.Node.Bench;

/// <summary>What a peer says of one run.</summary>
/// <param name="Prefill">Tokens of a prompt read per second.</param>
/// <param name="Decode">Tokens generated per second.</param>
/// <param name="Model">The model, in the peer's words; null where it says nothing.</param>
/// <param name="ModelBytes">Bytes of the model's weights; null where it says nothing.</param>
/// <param name="Build">The peer's version and what it computes on; null where it says nothing.</param>
internal sealed record PeerResult(double Prefill, double Decode, string? Model, long? ModelBytes, string? Build);
