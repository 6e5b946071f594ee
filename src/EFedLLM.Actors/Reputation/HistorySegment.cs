using System.Collections.Immutable;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// A stretch of a device's history up to a failure or a return: what passed and what was earned in it, whose order changes nothing, so that
/// it is kept in one order, counted together. Immutable.
/// </summary>
/// <param name="Passed">Checks that passed, by role and step.</param>
/// <param name="Earned">Earnings, by the end of their span; at most <see cref="MostEarned"/>.</param>
/// <param name="End">What ends it; null for the stretch that goes on.</param>
internal sealed record HistorySegment(ImmutableArray<PassedRun> Passed, ImmutableArray<EarnedRun> Earned, HistoryPoint? End)
{
    /// <summary>Most kinds of checks that passed which are counted apart in a role: steps change with settings alone.</summary>
    public const int MostPassed = 8;

    /// <summary>Most earnings that are counted apart. Where a device carries so many different ranges in a day, the oldest are counted together all the same.</summary>
    public const int MostEarned = 64;

    /// <summary>Nothing yet.</summary>
    public static HistorySegment Empty { get; } = new([], [], null);

    /// <summary>The stretch with more checks that passed.</summary>
    public HistorySegment With(PassedRun more)
    {
        var same = Passed.Where(run => run.Role == more.Role).ToArray();
        var kept = same.FirstOrDefault(run => run.Step.Equals(more.Step));
        if (kept.Checks == 0 && same.Length == MostPassed)
        {
            // After so many changes of the settings within one stretch the last kind takes what comes.
            kept = same[^1];
        }

        if (kept.Checks > 0)
        {
            return this with { Passed = Passed.Replace(kept, kept with { Checks = kept.Checks + more.Checks, Tokens = kept.Tokens + more.Tokens }) };
        }

        return this with { Passed = [.. Passed.Append(more).OrderBy(run => run.Role).ThenBy(run => run.Step)] };
    }

    /// <summary>The stretch with more earnings.</summary>
    public HistorySegment With(EarnedRun more)
    {
        var latest = Earned.Aggregate(more.Until, (until, run) => run.Until > until ? run.Until : until);
        var all = ImmutableArray.CreateBuilder<EarnedRun>(Earned.Length + 1);
        foreach (var run in Earned.Append(more).OrderBy(run => run.Until).ThenBy(run => run.Terms.TokenReward))
        {
            // What is old enough to vest is so whenever it is looked at next, so nothing tells it apart any more.
            var same = -1;
            for (var i = all.Count - 1; i >= 0 && same < 0; i--)
            {
                same = all[i].Terms == run.Terms && (all[i].Until == run.Until || run.Until.UtcTicks <= latest.UtcTicks - run.Terms.Vesting.Ticks) ? i : -1;
            }

            if (same < 0)
            {
                all.Add(run);
            }
            else
            {
                var joined = run with { Amount = all[same].Amount + run.Amount };
                all.RemoveAt(same);
                all.Add(joined);
            }
        }

        if (all.Count > MostEarned)
        {
            var (oldest, next) = (all[0], all[1]);
            all[1] = (next.Terms.TokenReward >= oldest.Terms.TokenReward ? next : next with { Terms = oldest.Terms }) with { Amount = oldest.Amount + next.Amount };
            all.RemoveAt(0);
        }

        return this with { Earned = all.DrainToImmutable() };
    }

    /// <summary>This stretch and the one after it as one: what ended this one never was.</summary>
    public HistorySegment Join(HistorySegment next)
    {
        var joined = next.Passed.Aggregate(this with { End = next.End }, (segment, run) => segment.With(run));
        return next.Earned.Aggregate(joined, (segment, run) => segment.With(run));
    }

    /// <inheritdoc/>
    public bool Equals(HistorySegment? other)
        => other is not null && Passed.AsSpan().SequenceEqual(other.Passed.AsSpan()) && Earned.AsSpan().SequenceEqual(other.Earned.AsSpan()) && End == other.End;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Passed.Length, Earned.Length, End);
}
