using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class RoutingPreferenceTests
{
    private static readonly TrustSettings Settings = new();
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Of_a_device_of_which_nothing_is_known_half_its_speed_counts()
        => Assert.Equal(50, RoutingPreference.New.Of(100, Start, Settings));

    [Theory]
    [InlineData(8, 0, 9.0 / 10)]
    [InlineData(0, 1, 1.0 / 22)]
    [InlineData(18, 1, 19.0 / 40)]
    public void What_passed_counts_once_and_what_failed_twenty_times(int passed, int failed, double expected)
        => Assert.Equal(expected, After(passed, failed).Of(1, Start, Settings), 12);

    [Fact]
    public void What_is_a_week_ago_counts_half()
    {
        Assert.Equal(5.0 / 6, After(8, 0).Of(1, Start.AddDays(7), Settings), 12);
        Assert.Equal(3.0 / 4, After(8, 0).Of(1, Start.AddDays(14), Settings), 12);
        Assert.Equal(6.0 / 7, After(8, 0).After(CheckOutcome.Passed, Start.AddDays(7), Settings).Of(1, Start.AddDays(7), Settings), 12);
        Assert.Equal(0.5, After(8, 3).Of(1, Start.AddYears(100), Settings), 12);
    }

    [Fact]
    public void A_clock_that_goes_back_makes_nothing_count_more()
    {
        Assert.Equal(After(8, 0).Of(1, Start, Settings), After(8, 0).Of(1, Start.AddDays(-7), Settings));
        Assert.Equal(After(9, 0), After(8, 0).After(CheckOutcome.Passed, Start.AddDays(-7), Settings));
    }

    [Fact]
    public void A_soft_failure_counts_as_much_as_a_hard_one_and_speed_in_proportion()
    {
        Assert.Equal(After(0, 1), RoutingPreference.New.After(CheckOutcome.Soft, Start, Settings));
        Assert.Equal(3 * After(5, 1).Of(1, Start, Settings), After(5, 1).Of(3, Start, Settings), 12);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(90)]
    public void A_failure_that_never_was_counts_no_more(double days)
    {
        var with = After(4, 0).After(CheckOutcome.Hard, Start.AddDays(1), Settings).After(CheckOutcome.Passed, Start.AddDays(1 + days), Settings);
        var without = After(4, 0).After(CheckOutcome.Passed, Start.AddDays(1 + days), Settings);
        Assert.Equal(without.Of(1, Start.AddDays(100), Settings), with.WithoutFailure(Start.AddDays(1), Settings).Of(1, Start.AddDays(100), Settings), 12);
        Assert.True(RoutingPreference.New.WithoutFailure(Start, Settings).Failed == 0);
    }

    private static RoutingPreference After(int passed, int failed)
    {
        var preference = RoutingPreference.New;
        for (var i = 0; i < passed + failed; i++)
        {
            preference = preference.After(i < passed ? CheckOutcome.Passed : CheckOutcome.Hard, Start, Settings);
        }

        return preference;
    }
}
