namespace EFedLLM.Node.Bench;

/// <summary>What one part of trust costs, measured side by side with none of it.</summary>
/// <param name="What"><c>receipts</c>, or the share of units that is checked.</param>
/// <param name="CheckedShare">The share of units that is checked; next to 0 for receipts alone.</param>
/// <param name="Devices">Device processes.</param>
/// <param name="Hops">Hops of a route.</param>
/// <param name="Tokens">Tokens of an answer.</param>
/// <param name="Answers">Answers of each side.</param>
/// <param name="OffMilliseconds">Median time per token without trust.</param>
/// <param name="OnMilliseconds">Median time per token with it.</param>
/// <param name="Change">By how much the second is longer than the first, as a share.</param>
/// <param name="Deviation">Half of the spread of that between the quartiles of the pairs.</param>
/// <param name="BytesPerTokenAndHop">What the gateway receives more, per computed position and hop, without the transport's own; null where checks add theirs.</param>
/// <param name="RecomputedShare">Positions times units that are computed to check, as a share of those that are computed to serve.</param>
/// <param name="ComputeShare">Processor time that checks take, as a share of what serving takes: below the other share, because a unit is checked as one batch.</param>
internal sealed record TrustSample(
    string What,
    double CheckedShare,
    int Devices,
    int Hops,
    int Tokens,
    int Answers,
    double OffMilliseconds,
    double OnMilliseconds,
    double Change,
    double Deviation,
    double? BytesPerTokenAndHop,
    double RecomputedShare,
    double ComputeShare);
