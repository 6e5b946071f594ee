using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// How a device's standing and account follow from what happened. Between two failures the order of checks that passed and of earnings
/// changes nothing, as nothing vests by an entry: what is due becomes credit when somebody looks, or just before a failure.
/// </summary>
internal static class ConductRules
{
    /// <summary>After a stretch of the history.</summary>
    public static Conduct After(Conduct conduct, HistorySegment segment)
    {
        foreach (var run in segment.Passed)
        {
            conduct = conduct.With(run.Role, StandingRules.AfterPasses(conduct.Of(run.Role), run.Checks, run.Tokens, run.Step));
        }

        var account = conduct.Account;
        foreach (var run in segment.Earned)
        {
            account = AccountRules.Earn(account, new Earning(run.Until, run.Amount), run.Terms.TokenReward, run.Terms.ToSettings());
        }

        conduct = conduct with { Account = account };
        return segment.End switch
        {
            FailedCheck failure => After(conduct, failure).Conduct,
            DeviceReturned back => conduct.With(back.Role, ExclusionRules.Return(conduct.Of(back.Role), back.At)),
            _ => conduct,
        };
    }

    /// <summary>After a check that failed: what is due vests first, then the standing falls, and a proven lie is paid for.</summary>
    /// <returns>And what belongs to whoever found it out.</returns>
    public static (Conduct Conduct, double ToFinder) After(Conduct conduct, FailedCheck failure)
    {
        var settings = failure.Terms.ToSettings();
        var account = AccountAt(conduct, failure.CountedAt, failure.Account?.Vesting ?? AccountTerms.Old.Vesting);
        var before = conduct.Of(failure.Role);
        var after = StandingRules.After(before, failure.Outcome, 0, failure.At, settings);
        if (before.ExcludedAt is null && after.ExcludedAt is not null && failure.Terms.Exclusion is not null)
        {
            after = ExclusionRules.Exclude(after, failure.CountedAt, settings);
        }

        conduct = (conduct with { Account = account }).With(failure.Role, after);
        if (failure is not { Outcome: CheckOutcome.Hard, Account: { } terms } || ExclusionRules.IsFaulty(after, 0, settings))
        {
            return (conduct, 0);
        }

        var slashing = AccountRules.Slash(account, conduct.Server.Hard + conduct.Verifier.Hard, terms.TokenReward, terms.ToSettings());
        return (conduct with { Account = slashing.Account }, slashing.ToFinder);
    }

    /// <summary>The account at a time: what is due has become credit, where nothing speaks against the device.</summary>
    /// <param name="conduct">The device.</param>
    /// <param name="now">The time.</param>
    /// <param name="vesting">How long what is earned can be lost.</param>
    public static Account AccountAt(Conduct conduct, DateTimeOffset now, TimeSpan vesting)
        => conduct.IsTrusted ? AccountRules.Vest(conduct.Account, now, 0, isDisputed: false, new TrustSettings { Vesting = vesting }) : conduct.Account;
}
