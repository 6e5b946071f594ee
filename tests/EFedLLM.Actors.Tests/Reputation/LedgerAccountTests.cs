using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>What a device's entries do to its account, its exclusion and its return.</summary>
public sealed class LedgerAccountTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, 0)] // in probation
    [InlineData(1024, 50)] // a junior
    [InlineData(1 << 20, 100)] // full
    public void Serving_earns_by_shapes_and_by_how_far_the_device_is_trusted(int passed, double reward)
    {
        var conduct = Conduct.New with { Server = RoleStanding.New with { PassedTokens = passed } };
        var report = LedgerSamples.Report(1, 1) with { Size = new WorkSize(100e9, 1e9) };
        Assert.Equal(reward, Count(report, conduct).Reward);
        Assert.Equal(reward * 1.2, Count(report with { Outcome = WorkOutcome.Verified }, conduct).Reward, 9);
        Assert.Equal(0, Count(report, conduct with { Server = conduct.Server with { Score = 1 } }).Reward);
        Assert.Equal(0, Count(report with { Outcome = WorkOutcome.Verified }, conduct with { Verifier = RoleStanding.New with { Score = 1 } }).Reward);
        Assert.Equal(0, Count(report with { Outcome = WorkOutcome.TimedOut }, conduct).Reward);
        Assert.Equal(reward * 0.008, Count(report with { Size = null }, conduct).Reward, 9);
        Assert.Equal((0, null), (Count(report with { Size = default(WorkSize) }, conduct).Reward, Count(report with { Size = default(WorkSize) }, conduct).Account));
    }

    [Fact]
    public void First_earnings_fill_the_escrow_and_hard_failures_take_512_1024_and_the_rest()
    {
        // 3,072 positions for the escrow, 128 that vest.
        var state = LedgerSamples.Fold([Served(1, 3200)]);
        Check(state, escrow: 3072, unvested: 128, vested: 0, slashed: 0);
        Check(state, escrow: 3072, unvested: 0, vested: 128, slashed: 0, days: 2);
        state = state.Apply(Fail(2, CheckOutcome.Hard));
        Check(state, escrow: 2560, unvested: 128, vested: 0, slashed: 512, days: 2);
        state = state.Apply(Fail(3, CheckOutcome.Hard));
        Check(state, escrow: 1536, unvested: 128, vested: 0, slashed: 1536, days: 2);
        state = state.Apply(Fail(4, CheckOutcome.Hard));
        Check(state, escrow: 0, unvested: 0, vested: 0, slashed: 3200, days: 2);
        Assert.Equal([(1L, 256.0), (2L, 512.0), (3L, 832.0)], state.Owed.Select(owed => (owed.Number, owed.Amount)));
        Assert.All(state.Owed, owed => Assert.Equal(LedgerSamples.Checker, owed.Finder));
        state = state.Apply(new FinderPaid(2));
        Assert.Equal([1L, 3L], state.Owed.Select(owed => owed.Number));

        // Struck, the third is the second: 1,024 and no exclusion; what the finders have they keep.
        var struck = state.Apply(new VerdictStruck(VerdictId.Of(Fail(2, CheckOutcome.Hard).Id), "", Start));
        Check(struck, escrow: 1536, unvested: 128, vested: 0, slashed: 1536, days: 2);
        Assert.Equal((2L, null), (struck.Server.Hard, struck.Server.ExcludedAt));
        Assert.Equal(state.Owed.AsEnumerable(), struck.Owed.AsEnumerable());
    }

    [Fact]
    public void What_was_due_before_a_failure_is_the_devices_own_whatever_comes_then()
    {
        var state = LedgerSamples.Fold([Served(1, 3200), Fail(2, CheckOutcome.Hard, days: 2), Fail(3, CheckOutcome.Hard, days: 2), Fail(4, CheckOutcome.Hard, days: 2)]);
        Check(state, escrow: 0, unvested: 0, vested: 128, slashed: 3072, days: 9);
    }

    [Fact]
    public void A_device_of_which_most_evidence_is_soft_is_broken_and_nothing_is_taken()
    {
        var state = LedgerSamples.Fold([
            Served(1, 3200), Fail(2, CheckOutcome.Soft), Fail(3, CheckOutcome.Soft), Fail(4, CheckOutcome.Soft), Fail(5, CheckOutcome.Hard)]);
        Check(state, escrow: 3072, unvested: 128, vested: 0, slashed: 0);
        Assert.Equal((true, Start.AddDays(30), 0), (state.Server.Exclusion!.IsFaulty, state.Server.Exclusion.Until, state.Server.Bans));
        Assert.Empty(state.Owed);
    }

    [Fact]
    public void A_liar_is_banned_for_30_days_then_60_and_comes_back_with_half_the_score_and_4096_positions_unpaid()
    {
        var state = LedgerSamples.Fold([Fail(1, CheckOutcome.Hard), Fail(2, CheckOutcome.Hard), Fail(3, CheckOutcome.Hard)]);
        Assert.Equal(new Exclusion(false, Start.AddDays(30), 9.21, 4096), state.Server.Exclusion);
        Assert.Equal((1, Start.AddDays(30)), (state.Server.Bans, state.NextReturn()));
        Assert.Null(state.Due(Start.AddDays(30).AddTicks(-1)));

        var due = state.Due(Start.AddDays(30));
        Assert.Equal(new DeviceReturned(TrustRole.Server, Start.AddDays(30)), due);
        Assert.Same(state.Server, state.Apply(due! with { At = Start.AddDays(29) }).Server);
        var back = state.Apply(due!);
        Assert.Equal((9.21, null, null, 4096L), (back.Server.Score, back.Server.ExcludedAt, back.Server.Exclusion, back.Server.UnpaidTokens));
        Assert.Equal((TrustTier.Quarantined, null), (back.ToRecord(LedgerSamples.Trust, Start).ServerTier, back.Due(Start.AddYears(9))));

        // 922 checks of 16 positions until the score is gone; nothing is left unpaid by then, since 256 do for that.
        var passed = Enumerable.Range(10, 922).Aggregate(back, (before, i) => before.Apply(LedgerSamples.Count(LedgerSamples.Check(1, i, CheckOutcome.Passed), Start.AddDays(31))));
        Assert.Equal((0.0, 0L), (passed.Server.Score, passed.Server.UnpaidTokens));
        Assert.Equal(TrustTier.Full, passed.ToRecord(LedgerSamples.Trust, Start).ServerTier);

        // Two hard failures more, and it is out for twice as long.
        var again = back.Apply(Fail(5000, CheckOutcome.Hard, days: 40)).Apply(Fail(5001, CheckOutcome.Hard, days: 40));
        Assert.Equal((Start.AddDays(100), 2), (again.Server.Exclusion!.Until, again.Server.Bans));
    }

    [Fact]
    public void Who_is_back_earns_nothing_until_enough_has_passed()
    {
        var standing = RoleStanding.New with { PassedTokens = 1 << 20, UnpaidTokens = 17 };
        Assert.Equal(TrustTier.Probation, StandingRules.Tier(standing, LedgerSamples.Trust));
        standing = StandingRules.After(standing, CheckOutcome.Passed, 16, Start, LedgerSamples.Trust);
        Assert.Equal((1L, TrustTier.Probation), (standing.UnpaidTokens, StandingRules.Tier(standing, LedgerSamples.Trust)));
        Assert.Equal(TrustTier.Full, StandingRules.Tier(StandingRules.AfterPasses(standing, 1, 16, -0.01), LedgerSamples.Trust));
    }

    [Fact]
    public void A_verdict_that_is_taken_back_ends_the_exclusion_it_brought_about()
    {
        var state = LedgerSamples.Fold([Served(1, 3200), Fail(2, CheckOutcome.Hard), Fail(3, CheckOutcome.Hard), Fail(4, CheckOutcome.Hard)]);
        Assert.Equal(TrustTier.Excluded, state.ToRecord(LedgerSamples.Trust, Start).ServerTier);
        state = state.Apply(new VerdictStruck(VerdictId.Of(Fail(3, CheckOutcome.Hard).Id), "it does not replay", Start));
        Assert.Equal(TrustTier.Quarantined, state.ToRecord(LedgerSamples.Trust, Start).ServerTier);
        Assert.Equal("it does not replay", state.Recent.Single(entry => entry.Struck is not null).Struck);
    }

    [Fact]
    public void Passes_in_a_row_are_counted_together_to_the_last_bit()
    {
        var standing = StandingRules.After(RoleStanding.New, CheckOutcome.Hard, 0, Start, LedgerSamples.Trust);
        for (var count = 0; count < 1000; count += 37)
        {
            var one = Enumerable.Range(0, count).Aggregate(standing, (before, _) => StandingRules.After(before, CheckOutcome.Passed, 16, Start, LedgerSamples.Trust));
            Assert.Equal(one, StandingRules.AfterPasses(standing, count, 16L * count, LedgerSamples.Trust.PassStep));
        }
    }

    [Theory]
    [InlineData(1, 0, "finder")]
    [InlineData(7, 0, "finder")]
    [InlineData(7, double.NaN, "finder")]
    [InlineData(7, 1e25, "no amount")]
    public void Only_a_finder_has_an_amount_and_a_possible_one(int outcome, double amount, string problem)
    {
        var report = LedgerSamples.Report(1, 1, 16, (WorkOutcome)outcome) with { Amount = outcome == 1 ? 1 : amount };
        Assert.Contains(problem, WorkRules.Problem(report), StringComparison.Ordinal);
        Assert.Contains("so much work", WorkRules.Problem(LedgerSamples.Report(1, 1) with { Size = new WorkSize(double.PositiveInfinity, 1) }), StringComparison.Ordinal);
        Assert.Null(WorkRules.Problem(LedgerSamples.Report(1, 1) with { Size = new WorkSize(1e20, 1) }));
    }

    private static WorkCounted Served(long sequence, int tokens) => LedgerSamples.Count(LedgerSamples.Report(1, sequence, tokens) with { Size = new WorkSize(tokens * 1e9, 1e9), At = Start }, Start);

    private static WorkCounted Fail(long sequence, CheckOutcome outcome, double days = 0)
        => LedgerSamples.Count(LedgerSamples.Check(1, sequence, outcome) with { Size = new WorkSize(16e9, 1e9), At = Start.AddDays(days) }, Start.AddDays(days));

    private static WorkCounted Count(RecordWork report, Conduct conduct) => WorkRules.Count(report, Start, LedgerSamples.Trust, conduct);

    private static void Check(ReputationState state, double escrow, double unvested, double vested, double slashed, double days = 0)
    {
        var record = state.ToRecord(LedgerSamples.Trust, Start.AddDays(days));
        Assert.Equal((escrow, unvested, vested, slashed), (record.Escrow, record.Unvested, record.Vested, record.Slashed));
    }
}
