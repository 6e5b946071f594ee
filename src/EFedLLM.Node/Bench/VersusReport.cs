namespace EFedLLM.Node.Bench;

/// <summary>A model in this process against a peer with its own.</summary>
/// <param name="Model">Our model's name.</param>
/// <param name="BitsPerWeight">Bits per weight that computing a token reads, with everything in.</param>
/// <param name="WeightBytesPerToken">Bytes of weights that computing a token reads.</param>
/// <param name="Peer">The peer's name.</param>
/// <param name="PeerModel">Its model, in its own words; null where it says nothing.</param>
/// <param name="PeerModelBytes">Bytes of its model's weights; null where it says nothing.</param>
/// <param name="PeerBuild">Its version and what it computes on; null where it says nothing.</param>
/// <param name="Repetitions">Turns of each.</param>
/// <param name="Samples">The measurements.</param>
internal sealed record VersusReport(
    string Model,
    double BitsPerWeight,
    long WeightBytesPerToken,
    string Peer,
    string? PeerModel,
    long? PeerModelBytes,
    string? PeerBuild,
    int Repetitions,
    IReadOnlyList<VersusSample> Samples);
