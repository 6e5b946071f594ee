using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>A verdict against the device, with all that is needed to judge it again.</summary>
/// <param name="Id">Names it for people.</param>
/// <param name="Role">What the device is judged as.</param>
/// <param name="Outcome"><see cref="CheckOutcome.Soft"/> or <see cref="CheckOutcome.Hard"/>.</param>
/// <param name="At">When, as the entry says.</param>
/// <param name="CountedAt">When the ledger counted it.</param>
/// <param name="Terms">By what it was judged.</param>
/// <param name="Account">By what the account was moved; null in entries from when nothing was taken.</param>
internal sealed record FailedCheck(
    VerdictId Id, TrustRole Role, CheckOutcome Outcome, DateTimeOffset At, DateTimeOffset CountedAt, CheckTerms Terms, AccountTerms? Account) : HistoryPoint;
