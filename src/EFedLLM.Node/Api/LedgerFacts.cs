namespace EFedLLM.Node.Api;

/// <summary>Answer of <c>GET /efedllm/v1/ledger</c>.</summary>
/// <param name="Devices">The devices the ledger knows, without their latest entries.</param>
/// <param name="Problems">Why it says nothing of others, and what to do; null or empty where there are none.</param>
internal sealed record LedgerFacts(IReadOnlyList<LedgerDevice> Devices, IReadOnlyList<string>? Problems = null);

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
/// <param name="Server">Its standing as a server; null where it was never checked.</param>
/// <param name="Verifier">Its standing as a verifier; null where it was never checked.</param>
/// <param name="Vested">What of the reward is the device's own; the rest is at stake.</param>
/// <param name="Escrow">What of the reward is held back: hard failures take from it first.</param>
/// <param name="Unvested">What of the reward can still be lost, and becomes the device's own.</param>
/// <param name="Slashed">What of the reward was taken for hard failures.</param>
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
    IReadOnlyList<LedgerLine> Recent,
    StandingFacts? Server = null,
    StandingFacts? Verifier = null,
    double Vested = 0,
    double Escrow = 0,
    double Unvested = 0,
    double Slashed = 0);

/// <summary>What checks have shown of a device in one role.</summary>
/// <param name="Standing"><c>probation</c>, <c>junior</c>, <c>full</c>, <c>quarantined</c> or <c>excluded</c>.</param>
/// <param name="Score">What speaks against it: 0 for nothing.</param>
/// <param name="Passed">Checks that passed.</param>
/// <param name="Soft">Failures that also happen to the honest.</param>
/// <param name="Hard">Proven wrong results.</param>
/// <param name="PassedTokens">Positions in checks that passed.</param>
/// <param name="ExcludedAt">When it was excluded, or null.</param>
/// <param name="ExcludedUntil">When it may come back; null where it is not excluded, or for good.</param>
/// <param name="ExcludedAs"><c>malicious</c> or <c>faulty</c>; null where it is not excluded, or nobody can say.</param>
/// <param name="Bans">How often it was banned as malicious.</param>
/// <param name="UnpaidTokens">Positions in checks that have still to pass before it earns again.</param>
internal sealed record StandingFacts(
    string Standing, double Score, long Passed, long Soft, long Hard, long PassedTokens, DateTimeOffset? ExcludedAt,
    DateTimeOffset? ExcludedUntil = null, string? ExcludedAs = null, int Bans = 0, long UnpaidTokens = 0);

/// <summary>One entry of a device's history.</summary>
/// <param name="Session">The session.</param>
/// <param name="Outcome"><c>served</c>, <c>timedOut</c>, <c>failed</c>, <c>corrupt</c>, <c>checked</c>, <c>verified</c> or <c>found</c>.</param>
/// <param name="Tokens">Positions computed, or checked.</param>
/// <param name="First">First unit.</param>
/// <param name="End">One past the last unit.</param>
/// <param name="At">When.</param>
/// <param name="Check">What the check showed; null where nothing was checked.</param>
/// <param name="Verdict">Names the verdict, where the check failed; null of entries from before verdicts had names.</param>
/// <param name="Struck">Why the verdict was taken back; null where it stands.</param>
/// <param name="Reporter">Who reported it; null of entries from before reports were signed.</param>
internal sealed record LedgerLine(
    string Session, string Outcome, int Tokens, int First, int End, DateTimeOffset At, CheckLine? Check = null, string? Verdict = null, string? Struck = null, string? Reporter = null);

/// <summary>What a check showed.</summary>
/// <param name="Role">What the device was judged as: <c>server</c> or <c>verifier</c>.</param>
/// <param name="Result"><c>passed</c>, <c>soft</c> or <c>hard</c>.</param>
/// <param name="Position">The first position that was checked.</param>
/// <param name="Verifier">Who recomputed it; null where nobody did.</param>
/// <param name="Expected">The right digest, 64 hexadecimal digits; null where nothing was recomputed.</param>
/// <param name="Found">The digest that the device signed; null where it signed none.</param>
/// <param name="Proof">The content hash of what proves it; null where nothing is to be proven.</param>
/// <param name="Reason">Why; null for a check that passed.</param>
internal sealed record CheckLine(string Role, string Result, int Position, string? Verifier, string? Expected, string? Found, string? Proof, string? Reason);
