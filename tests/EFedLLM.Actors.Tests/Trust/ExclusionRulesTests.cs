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
    [InlineData(0, 30)]
    [InlineData(1, 60)]
    [InlineData(3, 240)]
    [InlineData(20, 3650)]
    [InlineData(int.MaxValue, 3650)]
    public void A_ban_doubles_each_time_up_to_ten_years(int earlier, int days) => Assert.Equal(TimeSpan.FromDays(days), ExclusionRules.Ban(earlier, Settings));

    [Fact]
    public void A_device_comes_back_half_way_to_being_excluded() => Assert.Equal(9.21, ExclusionRules.ScoreOnReturn(Settings), 12);
}
