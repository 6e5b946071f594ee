namespace EFedLLM.Node.Api;

/// <summary>Answer of <c>GET /efedllm/v1/ledger</c>.</summary>
/// <param name="Devices">The devices the ledger knows, without their latest entries.</param>
internal sealed record LedgerFacts(IReadOnlyList<LedgerDevice> Devices);

/// <summary>Answer of <c>GET /efedllm/v1/ledger/{device}</c>: what the ledger knows of one device.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="FirstSeen">Time of the first entry, or null.</param>
/// <param name="LastSeen">Time of the last entry, or null.</param>
/// <param name="Sessions">Sessions it served to their end.</param>
/// <param name="Tokens">Positions it computed in them.</param>
/// <param name="LayerTokens">Positions times units.</param>
/// <param name="TimeOuts">Sessions it lost by not answering.</param>
/// <param name="Failures">Sessions it lost by failing.</param>
/// <param name="Reward">Credit earned.</param>
/// <param name="Penalty">Credit lost.</param>
/// <param name="Recent">The latest entries, newest first.</param>
internal sealed record LedgerDevice(
    string Device,
    DateTimeOffset? FirstSeen,
    DateTimeOffset? LastSeen,
    long Sessions,
    long Tokens,
    long LayerTokens,
    long TimeOuts,
    long Failures,
    double Reward,
    double Penalty,
    IReadOnlyList<LedgerLine> Recent);

/// <summary>One entry of a device's history.</summary>
/// <param name="Session">The session.</param>
/// <param name="Outcome"><c>served</c>, <c>timedOut</c> or <c>failed</c>.</param>
/// <param name="Tokens">Positions computed.</param>
/// <param name="First">First unit.</param>
/// <param name="End">One past the last unit.</param>
/// <param name="At">When.</param>
internal sealed record LedgerLine(string Session, string Outcome, int Tokens, int First, int End, DateTimeOffset At);
