using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Google.Protobuf.Collections;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Reputation;

/// <summary>What a device's standing and account are folded from, to its forms and back.</summary>
internal static class HistoryCodecs
{
    // Two days' hours: what the vault before accounts kept apart.
    private const int MostLying = 48;

    /// <summary>The form of what a check was judged by.</summary>
    public static Form.CheckTerms Write(CheckTerms terms) => new()
    {
        Step = terms.Step,
        ExcludeAt = terms.ExcludeAt,
        MostHardFailures = terms.MostHardFailures,
        HardWindow = terms.HardWindow.Ticks,
        HalfLife = terms.HalfLife.Ticks,
        FailureWeight = terms.FailureWeight,
        Exclusion = terms.Exclusion is not { } exclusion ? null : new Form.ExclusionTerms
        {
            Ban = exclusion.Ban.Ticks,
            BanGrowth = exclusion.BanGrowth,
            ReturnScore = exclusion.ReturnScore,
            UnpaidTokens = exclusion.UnpaidTokens,
            FaultyPasses = exclusion.FaultyPasses,
        },
    };

    /// <summary>What a check was judged by.</summary>
    public static CheckTerms Read(Form.CheckTerms form) => new(
        double.IsFinite(form.Step) ? form.Step : throw new MalformedMessageException("step is not a finite number."),
        Require.NotNegative(form.ExcludeAt, "exclude_at"),
        Require.Within(form.MostHardFailures, 1, ProtocolLimits.HardTimes, "most_hard_failures"),
        Span(form.HardWindow, "hard_window"),
        form.Exclusion is not { } exclusion ? null : new ExclusionTerms(
            Span(exclusion.Ban, "ban"),
            exclusion.BanGrowth is >= 1 and <= 1000 ? exclusion.BanGrowth : throw new MalformedMessageException("ban_growth is not 1 to 1000."),
            Require.UpTo(exclusion.ReturnScore, 1, "return_score"),
            Require.Within(exclusion.UnpaidTokens, 0, int.MaxValue, "unpaid_tokens"),
            Require.Within(exclusion.FaultyPasses, 0, int.MaxValue, "faulty_passes")),
        Span(form.HalfLife, "half_life"),
        Require.UpTo(form.FailureWeight, 1e9, "failure_weight"));

    /// <summary>The form of what moved an account.</summary>
    public static Form.AccountTerms Write(AccountTerms terms) => new()
    {
        TokenReward = terms.TokenReward,
        EscrowTokens = terms.EscrowTokens,
        FirstSlash = terms.FirstSlash,
        SecondSlash = terms.SecondSlash,
        FinderShare = terms.FinderShare,
        Vesting = terms.Vesting.Ticks,
    };

    /// <summary>What moved an account.</summary>
    public static AccountTerms Read(Form.AccountTerms form) => new(
        Require.UpTo(form.TokenReward, ProtocolLimits.Flop, "token_reward"),
        Require.Within(form.EscrowTokens, 0, int.MaxValue, "escrow_tokens"),
        Require.Within(form.FirstSlash, 0, int.MaxValue, "first_slash"),
        Require.Within(form.SecondSlash, 0, int.MaxValue, "second_slash"),
        Require.UpTo(form.FinderShare, 1, "finder_share"),
        Span(form.Vesting, "vesting"));

    /// <summary>The form of a return.</summary>
    public static Form.DeviceReturned Write(DeviceReturned back) => new() { Role = (int)back.Role, At = back.At.UtcTicks };

    /// <summary>A return.</summary>
    public static DeviceReturned Read(Form.DeviceReturned form) => new(Require.Defined<TrustRole>(form.Role, "role"), Values.Moment(form.At, "at"));

    /// <summary>The form of an account.</summary>
    public static Form.Account Write(Account account)
    {
        var form = new Form.Account { Escrow = account.Escrow, Credit = account.Credit, Slashed = account.Slashed };
        form.Unvested.AddRange(account.Unvested.Select(earning => new Form.LyingCredit { Until = earning.Until.UtcTicks, Amount = earning.Amount }));
        return form;
    }

    /// <summary>
    /// The account of a stored state. One from when credit lay by the hour lies as long here; before credit had to lie it was the device's own
    /// at once.
    /// </summary>
    public static Account Account(Form.ReputationState form)
    {
        if (form.Account is { } account)
        {
            Require.Count(account.Unvested.Count, AccountRules.MostEarnings, "unvested");
            return new Account
            {
                Escrow = Require.NotNegative(account.Escrow, "escrow"),
                Unvested = [.. account.Unvested.Select(Earning)],
                Credit = Require.NotNegative(account.Credit, "credit"),
                Slashed = Require.NotNegative(account.Slashed, "slashed"),
            };
        }

        if (form.Credit is not { } vault)
        {
            return new Account { Credit = form.Reward };
        }

        Require.Count(vault.Lying.Count, MostLying, "lying");
        var settings = AccountTerms.Old.ToSettings();
        return vault.Lying.Select(Earning).Aggregate(
            new Account { Credit = Require.NotNegative(vault.Vested, "vested") }, (all, earning) => AccountRules.Earn(all, earning, 0, settings));
    }

    /// <summary>The form of a preference; null where nothing is known.</summary>
    public static Form.RoutingPreference? Write(RoutingPreference preference) => preference == RoutingPreference.New
        ? null
        : new Form.RoutingPreference { Passed = preference.Passed, Failed = preference.Failed, At = preference.At.UtcTicks };

    /// <summary>A preference.</summary>
    public static RoutingPreference Read(Form.RoutingPreference? form) => form is null ? RoutingPreference.New : new RoutingPreference(
        Require.NotNegative(form.Passed, "passed"), Require.NotNegative(form.Failed, "failed"), Values.Moment(form.At, "at"));

    /// <summary>The form of a stretch.</summary>
    public static Form.HistorySegment Write(HistorySegment segment)
    {
        var form = new Form.HistorySegment();
        form.Passed.AddRange(segment.Passed.Select(run => new Form.PassedRun { Role = (int)run.Role, Step = run.Step, Checks = run.Checks, Tokens = run.Tokens }));
        form.Earned.AddRange(segment.Earned.Select(run => new Form.EarnedRun { Until = run.Until.UtcTicks, Amount = run.Amount, Terms = Write(run.Terms) }));
        switch (segment.End)
        {
            case FailedCheck failure:
                form.Failed = new Form.FailedCheck
                {
                    Verdict = Values.Write(failure.Id),
                    Role = (int)failure.Role,
                    Outcome = (int)failure.Outcome,
                    At = failure.At.UtcTicks,
                    CountedAt = failure.CountedAt.UtcTicks,
                    Terms = Write(failure.Terms),
                    Account = failure.Account is { } account ? Write(account) : null,
                };
                break;
            case DeviceReturned back:
                form.Returned = Write(back);
                break;
            default:
                break;
        }

        return form;
    }

    /// <summary>A history: that which goes on is the last of its stretches.</summary>
    public static History Read(Conduct sum, RepeatedField<Form.HistorySegment> form)
    {
        Require.Count(form.Count, History.MostSegments + 1, "segments");
        var segments = form.Select(Read).ToImmutableArray();
        if (segments.Where((segment, i) => segment.End is null != (i == segments.Length - 1)).Any())
        {
            throw new MalformedMessageException("segments has one that goes on before the last, or none at its end.");
        }

        return segments is [.. var ended, var open] ? new History(sum, ended, open) : new History(sum, [], HistorySegment.Empty);
    }

    /// <summary>The form of what a finder earns.</summary>
    public static Form.FinderReward Write(FinderReward reward) => new()
    {
        Number = reward.Number,
        Finder = Values.Write(reward.Finder),
        Amount = reward.Amount,
        Session = Values.Write(reward.Session),
        Model = Values.Write(reward.Model),
        Range = Values.Write(reward.Range),
    };

    /// <summary>What a finder earns.</summary>
    public static FinderReward Read(Form.FinderReward form) => new(
        Require.AtLeast(form.Number, 1, "number"),
        Values.Device(form.Finder, "finder"),
        Amount(form.Amount),
        Values.Session(form.Session),
        Values.Model(form.Model),
        Values.Range(form.Range));

    private static HistorySegment Read(Form.HistorySegment form)
    {
        Require.Count(form.Passed.Count, 2 * HistorySegment.MostPassed, "passed");
        Require.Count(form.Earned.Count, HistorySegment.MostEarned, "earned");
        return new HistorySegment(
            [.. form.Passed.Select(run => new PassedRun(
                Require.Defined<TrustRole>(run.Role, "role"),
                double.IsFinite(run.Step) ? run.Step : throw new MalformedMessageException("step is not a finite number."),
                Require.AtLeast(run.Checks, 1, "checks"),
                Require.AtLeast(run.Tokens, 0, "tokens")))],
            [.. form.Earned.Select(run => new EarnedRun(Values.Moment(run.Until, "until"), Amount(run.Amount), Read(Require.Present(run.Terms, "terms"))))],
            form.EndCase switch
            {
                Form.HistorySegment.EndOneofCase.Failed => Read(form.Failed),
                Form.HistorySegment.EndOneofCase.Returned => Read(form.Returned),
                _ => null,
            });
    }

    private static FailedCheck Read(Form.FailedCheck form) => new(
        Values.Verdict(form.Verdict),
        Require.Defined<TrustRole>(form.Role, "role"),
        Require.Defined<CheckOutcome>(form.Outcome, "outcome") is var outcome and not CheckOutcome.Passed ? outcome : throw new MalformedMessageException("outcome is no failure."),
        Values.Moment(form.At, "at"),
        Values.Moment(form.CountedAt, "counted_at"),
        Read(Require.Present(form.Terms, "terms")),
        form.Account is { } account ? Read(account) : null);

    private static Earning Earning(Form.LyingCredit form) => new(Values.Moment(form.Until, "until"), Require.NotNegative(form.Amount, "amount"));

    private static double Amount(double value) => value is > 0 and <= ProtocolLimits.Flop ? value : throw new MalformedMessageException($"amount is {value}; it must be above 0.");

    private static TimeSpan Span(long ticks, string field) => TimeSpan.FromTicks(Require.AtLeast(ticks, 0, field));
}
