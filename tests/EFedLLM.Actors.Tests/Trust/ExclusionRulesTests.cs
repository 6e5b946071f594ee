using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class ExclusionRulesTests
{
    private static readonly TrustSettings Settings = new();

    [Theory]
    [InlineData(0, 3, 0, false)]
    [InlineData(0, 3, 1, false)]
    [InlineData(0, 3, 2, true)]
    [InlineData(0, 3, 3, true)]
    [InlineData(2, 2, 0, false)]
    [InlineData(3, 2, 0, true)]
    [InlineData(4, 0, 0, true)]
    public void A_device_is_broken_rather_than_lying_when_most_evidence_is_soft_or_it_can_do_it_right(int soft, int hard, int right, bool isFaulty)
        => Assert.Equal(isFaulty, ExclusionRules.IsFaulty(RoleStanding.New with { Soft = soft, Hard = hard }, right, Settings));

    [Theory]
    [InlineData(true, 0, 1000, 1900, 2900, 3300)]
    [InlineData(true, 0, 900, 1000, 1020, 1500)] // two that happen to be close
    [InlineData(false, 0, 1000, 1010, 1030, 1500)] // three
    [InlineData(false, 1000, 1020, 1500)]
    [InlineData(false, 0, 1000, 2000, 2049)]
    [InlineData(true, 0, 1000, 2000, 2050)]
    [InlineData(false, 100, 5000)] // too few to tell
    [InlineData(false, 3000, 3001, 3002)] // a sleeper
    [InlineData(false, 100, 3000, 3001, 3002)]
    public void Hard_failures_with_many_checks_between_them_are_those_of_a_broken_device(bool isFaulty, params int[] passed)
    {
        var standing = RoleStanding.New with { Hard = passed.Length, HardPassed = [.. passed.Select(at => (long)at)] };

        Assert.Equal(isFaulty, ExclusionRules.IsFaulty(standing, 0, Settings));
        Assert.False(ExclusionRules.IsFaulty(standing, 0, Settings with { FaultyPasses = 0 }));
    }

    /// <summary>Each simulated device is checked until it is excluded.</summary>
    [Theory]
    [InlineData(0.001, 0, 0.8, 1)] // bit errors
    [InlineData(0.05, 0, 0, 0.02)] // one that lies now and then
    [InlineData(1, 0, 0, 0)]
    [InlineData(1, 3000, 0, 0)] // a sleeper
    public void Bit_errors_end_as_faults_and_lies_as_lies(double wrong, int honest, double least, double most)
    {
        const int Devices = 500;
        var random = new Random(20261201);
        var faulty = 0;
        for (var device = 0; device < Devices; device++)
        {
            var (standing, at) = (RoleStanding.New, DateTimeOffset.UnixEpoch);
            for (var check = 0; standing.ExcludedAt is null; check++, at += TimeSpan.FromMinutes(1))
            {
                standing = StandingRules.After(standing, check >= honest && random.NextDouble() < wrong ? CheckOutcome.Hard : CheckOutcome.Passed, 16, at, Settings);
            }

            faulty += ExclusionRules.Exclude(standing, at, Settings).Exclusion!.IsFaulty ? 1 : 0;
        }

        Assert.InRange((double)faulty / Devices, least, most);
    }

    [Theory]
    [InlineData(0, 30)]
    [InlineData(1, 60)]
    [InlineData(3, 240)]
    [InlineData(20, 3650)]
    [InlineData(int.MaxValue, 3650)]
    public void A_ban_doubles_each_time_up_to_ten_years(int earlier, int days) => Assert.Equal(TimeSpan.FromDays(days), ExclusionRules.Ban(earlier, Settings));

    [Fact]
    public void A_device_comes_back_half_way_to_being_excluded() => Assert.Equal(9.21, ExclusionRules.ScoreOnReturn(Settings), 12);
}
