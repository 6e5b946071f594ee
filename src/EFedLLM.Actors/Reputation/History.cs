using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// What a device's standing and account are folded from: stretches that end with a failure or a return, so that one verdict can be taken out
/// and everything after it judged again. Only the latest are kept; what came before them is a sum that stays. Immutable.
/// </summary>
internal sealed class History
{
    /// <summary>Most stretches that have ended. With one more, the oldest becomes part of the sum, and its verdict stands for ever.</summary>
    public const int MostSegments = 64;

    private readonly Conduct _settled;

    /// <summary>A history from its parts.</summary>
    /// <param name="sum">What came before all stretches.</param>
    /// <param name="ended">The stretches that have ended, oldest first.</param>
    /// <param name="open">The one that goes on.</param>
    public History(Conduct sum, ImmutableArray<HistorySegment> ended, HistorySegment open)
        : this(sum, ended, open, ended.Aggregate(sum, ConductRules.After))
    {
    }

    private History(Conduct sum, ImmutableArray<HistorySegment> ended, HistorySegment open, Conduct settled)
        => (Sum, Ended, Open, _settled, Now) = (sum, ended, open, settled, ConductRules.After(settled, open));

    /// <summary>Nothing happened.</summary>
    public static History Empty { get; } = new(Conduct.New, [], HistorySegment.Empty);

    /// <summary>What came before all stretches.</summary>
    public Conduct Sum { get; }

    /// <summary>The stretches that have ended, oldest first; at most <see cref="MostSegments"/>.</summary>
    public ImmutableArray<HistorySegment> Ended { get; }

    /// <summary>The stretch that goes on.</summary>
    public HistorySegment Open { get; }

    /// <summary>What follows from all of it.</summary>
    public Conduct Now { get; }

    /// <summary>The verdicts that can be taken back, oldest first.</summary>
    public IEnumerable<FailedCheck> Verdicts => Ended.Select(segment => segment.End).OfType<FailedCheck>();

    /// <summary>After a check that passed.</summary>
    public History Pass(TrustRole role, double step, int tokens) => new(Sum, Ended, Open.With(new PassedRun(role, step, 1, tokens)), _settled);

    /// <summary>After something was earned.</summary>
    /// <param name="amount">How much, above 0.</param>
    /// <param name="at">When it was counted.</param>
    /// <param name="terms">By what it comes to the account.</param>
    public History Earn(double amount, DateTimeOffset at, AccountTerms terms)
        => new(Sum, Ended, Open.With(new EarnedRun(AccountRules.EndOfSpan(at, terms.Vesting), amount, terms)), _settled);

    /// <summary>After a failure.</summary>
    /// <returns>And what belongs to whoever found it out.</returns>
    public (History History, double ToFinder) Fail(FailedCheck failure) => (End(failure), ConductRules.After(Now, failure).ToFinder);

    /// <summary>After the time of an exclusion was over.</summary>
    public History Return(DeviceReturned back) => End(back);

    /// <summary>As if a verdict had never been; null where it is none of <see cref="Verdicts"/>.</summary>
    public History? Without(VerdictId verdict)
    {
        for (var i = 0; i < Ended.Length; i++)
        {
            if (Ended[i].End is not FailedCheck failure || failure.Id != verdict)
            {
                continue;
            }

            return i + 1 < Ended.Length
                ? new History(Sum, Ended.SetItem(i + 1, Ended[i].Join(Ended[i + 1])).RemoveAt(i), Open)
                : new History(Sum, Ended.RemoveAt(i), Ended[i].Join(Open));
        }

        return null;
    }

    private History End(HistoryPoint point)
    {
        var ended = Ended.Add(Open with { End = point });
        return ended.Length <= MostSegments
            ? new History(Sum, ended, HistorySegment.Empty, ConductRules.After(_settled, ended[^1]))
            : new History(ConductRules.After(Sum, ended[0]), ended.RemoveAt(0), HistorySegment.Empty, ConductRules.After(_settled, ended[^1]));
    }
}
