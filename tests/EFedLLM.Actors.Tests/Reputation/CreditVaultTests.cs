using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>When credit becomes a device's own.</summary>
public sealed class CreditVaultTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, 0)]
    [InlineData(24.9, 0)]
    [InlineData(25, 1)]
    [InlineData(34.9, 1)]
    [InlineData(35, 3)]
    public void Credit_is_the_devices_own_a_day_after_the_hour_in_which_it_was_earned(double hours, double vested)
    {
        var vault = CreditVault.Empty.With(1, Start.AddMinutes(59)).With(2, Start.AddHours(10));
        Assert.Equal(vested, vault.At(Start.AddHours(hours), isTrusted: true).Vested);
        Assert.Same(vault, vault.At(Start.AddHours(hours), isTrusted: false));
    }

    [Fact]
    public void While_something_speaks_against_the_device_nothing_becomes_its_own_and_what_was_stays()
    {
        var state = LedgerSamples.Fold([
            Served(1, Start), Served(2, Start.AddHours(30)),
            LedgerSamples.Count(LedgerSamples.Check(1, 3, CheckOutcome.Soft) with { At = Start.AddHours(31) }, Start.AddHours(31))]);
        Assert.Equal((1.6, 0.8), (state.Reward, state.ToRecord(LedgerSamples.Trust, Start.AddDays(9)).Vested));

        // When enough has passed for the score to be 0 again, the rest is due.
        var passed = Enumerable.Range(4, 461).Select(i => LedgerSamples.Count(LedgerSamples.Check(1, i, CheckOutcome.Passed) with { At = Start.AddHours(32) }, Start.AddHours(32)));
        var cleared = passed.Aggregate(state, (before, entry) => before.Apply(entry));
        Assert.Equal(0, cleared.Server.Score);
        Assert.Equal(0.8, cleared.ToRecord(LedgerSamples.Trust, Start.AddHours(54)).Vested);
        Assert.Equal(1.6, cleared.ToRecord(LedgerSamples.Trust, Start.AddHours(55)).Vested);
    }

    [Fact]
    public void What_is_reported_late_lies_a_day_from_when_it_was_counted()
    {
        var late = LedgerSamples.Fold([LedgerSamples.Count(LedgerSamples.Report(1, 1) with { At = Start.AddDays(-9) }, Start)]);
        Assert.Equal(0, late.ToRecord(LedgerSamples.Trust, Start.AddHours(24)).Vested);
        Assert.Equal(0.8, late.ToRecord(LedgerSamples.Trust, Start.AddHours(25)).Vested);
    }

    [Fact]
    public void Whoever_is_excluded_never_gets_what_lies_still()
    {
        var state = LedgerSamples.Fold([
            Served(1, Start),
            .. Enumerable.Range(2, 3).Select(i => LedgerSamples.Count(LedgerSamples.Check(1, i, CheckOutcome.Hard) with { At = Start.AddHours(1) }, Start.AddHours(1)))]);
        Assert.Equal(0, state.ToRecord(LedgerSamples.Trust, Start.AddYears(9)).Vested);
    }

    [Fact]
    public void Nothing_is_lost_and_no_more_hours_are_kept_apart_than_may_be()
        => Gen.Select(Gen.Int[0, 5000], Gen.Int[0, 100], Gen.Bool).Array[0, 400].Sample(
            steps =>
            {
                var (vault, earned, now) = (CreditVault.Empty, 0L, Start);
                foreach (var (minutes, amount, isTrusted) in steps)
                {
                    now = now.AddMinutes(minutes);
                    vault = vault.At(now, isTrusted).With(amount, now);
                    earned += amount;
                    Assert.Equal(earned, vault.Vested + vault.Lying.Sum(hour => hour.Amount));
                    Assert.InRange(vault.Lying.Length, 0, CreditVault.MostHours);
                    Assert.Equal(vault.Lying.Select(hour => hour.Until).Order().Distinct(), vault.Lying.Select(hour => hour.Until));
                }

                Assert.Equal(earned, vault.At(now.AddHours(25), isTrusted: true).Vested);
            },
            iter: 100,
            threads: 1);

    [Fact]
    public void The_end_of_all_time_breaks_nothing()
    {
        var vault = CreditVault.Empty.With(1, DateTimeOffset.MinValue).With(1, DateTimeOffset.MaxValue);
        Assert.Equal(1, vault.At(DateTimeOffset.MaxValue, isTrusted: true).Vested);
    }

    private static WorkCounted Served(long sequence, DateTimeOffset at) => LedgerSamples.Count(LedgerSamples.Report(1, sequence) with { At = at }, at);
}
