using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Reputation;

/// <summary>A report was counted. Holds all that the fold needs, so that reading it back years later gives the same state.</summary>
/// <param name="Id">The report.</param>
/// <param name="Device">The device.</param>
/// <param name="Session">The session.</param>
/// <param name="Model">The model.</param>
/// <param name="Range">The units it computed.</param>
/// <param name="Outcome">What it did.</param>
/// <param name="Tokens">Positions it computed.</param>
/// <param name="At">When: the reporter's time, kept within what the ledger's clock allows.</param>
/// <param name="Reward">Credit it earned, by the rates and its standing of that day.</param>
/// <param name="Penalty">Credit it lost, by the rates of that day.</param>
/// <param name="Check">What the check showed, where the outcome is one; else null.</param>
/// <param name="Terms">By what the check was judged, where there is one; else null.</param>
/// <param name="CountedAt">When, by the ledger's clock; null in entries from before credit had to lie.</param>
/// <param name="Account">By what it moves the account, where it earns something or failed a check; null in entries from before there was an escrow.</param>
/// <param name="Reporter">Who reported it; null in entries from before reports were signed.</param>
internal sealed record WorkCounted(
    ReportId Id,
    DeviceId Device,
    SessionId Session,
    ModelId Model,
    LayerRange Range,
    WorkOutcome Outcome,
    int Tokens,
    DateTimeOffset At,
    double Reward,
    double Penalty,
    CheckFacts? Check = null,
    CheckTerms? Terms = null,
    DateTimeOffset? CountedAt = null,
    AccountTerms? Account = null,
    DeviceId? Reporter = null) : ILedgerStored;
