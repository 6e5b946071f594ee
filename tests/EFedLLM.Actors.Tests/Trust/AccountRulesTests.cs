using CsCheck;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class AccountRulesTests
{
    private static readonly TrustSettings Settings = new();
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 30, 0, TimeSpan.Zero);

    [Fact]
    public void First_earnings_fill_the_escrow_and_what_comes_then_can_be_lost_for_a_day()
    {
        var account = AccountRules.Earn(Account.Empty, 3000, 1, Start, Settings);
        Assert.Equal((3000, 0), (account.Escrow, account.Unvested.Length));
        account = AccountRules.Earn(account, 100, 1, Start, Settings);
        Assert.Equal(3072, account.Escrow);
        Assert.Equal([new Earning(Start.AddMinutes(30), 28)], account.Unvested.ToArray());

        Assert.Same(account, AccountRules.Vest(account, Start.AddHours(24), 0, false, Settings));
        var vested = AccountRules.Vest(account, Start.AddHours(24.5), 0, false, Settings);
        Assert.Equal((3072, 0, 28), (vested.Escrow, vested.Unvested.Length, vested.Credit));
    }

    [Theory]
    [InlineData(0.001, false)]
    [InlineData(0, true)]
    public void Nothing_vests_while_something_speaks_against_the_device_or_is_disputed(double score, bool isDisputed)
    {
        var account = AccountRules.Earn(Account.Empty, 4000, 1, Start, Settings);
        Assert.Same(account, AccountRules.Vest(account, Start.AddDays(10), score, isDisputed, Settings));
        Assert.Equal(4000 - 3072, AccountRules.Vest(account, Start.AddDays(10), 0, false, Settings).Credit);
    }

    [Fact]
    public void The_escrow_grows_with_what_a_device_carries_and_is_filled_again_when_something_was_taken()
    {
        var account = AccountRules.Earn(Account.Empty, 3072, 1, Start, Settings);
        account = AccountRules.Earn(account, 1000, 2, Start, Settings);
        Assert.Equal((4072, 0), (account.Escrow, account.Unvested.Length));
        account = AccountRules.Slash(AccountRules.Earn(Account.Empty, 3072, 1, Start, Settings), 1, 1, Settings).Account;
        account = AccountRules.Earn(account, 600, 1, Start, Settings);
        Assert.Equal((3072, 88), (account.Escrow, account.Unvested.Single().Amount));
    }

    [Fact]
    public void Hard_failures_take_more_each_time_and_the_third_everything_that_is_no_credit_yet()
    {
        var account = AccountRules.Vest(AccountRules.Earn(Account.Empty, 3072 + 50, 1, Start, Settings), Start.AddDays(2), 0, false, Settings);
        account = AccountRules.Earn(account, 200, 1, Start.AddDays(2), Settings);
        var first = AccountRules.Slash(account, 1, 1, Settings);
        Assert.Equal((512, 256, 3072 - 512), (first.Taken, first.ToFinder, first.Account.Escrow));
        var second = AccountRules.Slash(first.Account, 2, 1, Settings);
        Assert.Equal((1024, 512, 1536), (second.Taken, second.ToFinder, second.Account.Escrow));
        var third = AccountRules.Slash(second.Account, 3, 1, Settings);
        Assert.Equal((1736, 868, 0, 0), (third.Taken, third.ToFinder, third.Account.Escrow, third.Account.Unvested.Length));
        Assert.Equal((50, 3272), (third.Account.Credit, third.Account.Slashed));
        Assert.Equal(0, AccountRules.Slash(third.Account, 4, 1, Settings).Taken);
    }

    [Fact]
    public void An_escrow_that_is_not_full_is_made_up_for_from_what_vests_next()
    {
        var account = new Account { Escrow = 100, Unvested = [new Earning(Start, 300), new Earning(Start.AddHours(1), 300)] };
        var slashing = AccountRules.Slash(account, 1, 1, Settings);
        Assert.Equal((512, 0), (slashing.Taken, slashing.Account.Escrow));
        Assert.Equal([new Earning(Start.AddHours(1), 188)], slashing.Account.Unvested.ToArray());
        Assert.Equal((100, 0), (AccountRules.Slash(new Account { Escrow = 100 }, 2, 1, Settings).Taken, AccountRules.Slash(Account.Empty, 1, 1, Settings).Taken));
    }

    /// <summary>Whatever happens in whatever order: nothing is made or lost, and an account stays small.</summary>
    [Fact]
    public void What_was_earned_is_held_can_be_lost_is_credit_or_was_taken()
        => Gen.Select(Gen.Int[0, 5], Gen.Double[0, 5000], Gen.Int[0, 60 * 24 * 40]).Array[0, 300].Sample(
            steps =>
            {
                var account = Account.Empty;
                var (earned, failures) = (0.0, 0);
                foreach (var (kind, amount, minute) in steps)
                {
                    var at = Start.AddMinutes(minute);
                    switch (kind)
                    {
                        case 0:
                            account = AccountRules.Slash(account, ++failures, 1, Settings).Account;
                            break;
                        case 1:
                            account = AccountRules.Vest(account, at, 0, false, Settings);
                            break;
                        default:
                            account = AccountRules.Earn(account, amount, 1, at, Settings);
                            earned += amount;
                            break;
                    }

                    Assert.Equal(earned, account.Escrow + account.Unvested.Sum(earning => earning.Amount) + account.Credit + account.Slashed, tolerance: 1e-6);
                    Assert.True(account.Unvested.Length <= AccountRules.MostEarnings);
                    Assert.All(account.Unvested, earning => Assert.True(earning.Amount > 0));
                    Assert.Equal(account.Unvested.Select(earning => earning.Until).Distinct().Order(), account.Unvested.Select(earning => earning.Until));
                }
            },
            iter: 300,
            threads: 1);

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(1, -1)]
    [InlineData(double.NaN, 1)]
    [InlineData(1, double.PositiveInfinity)]
    public void Amounts_that_are_none_are_refused(double reward, double tokenReward)
        => Assert.Throws<ArgumentOutOfRangeException>(() => AccountRules.Earn(Account.Empty, reward, tokenReward, Start, Settings));
}
