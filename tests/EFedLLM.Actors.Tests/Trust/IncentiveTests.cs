using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class IncentiveTests
{
    private static readonly TrustSettings Settings = new();

    [Theory]
    [InlineData(TrustTier.Probation, 0)]
    [InlineData(TrustTier.Junior, 0.5)]
    [InlineData(TrustTier.Full, 1)]
    [InlineData(TrustTier.Quarantined, 0)]
    [InlineData(TrustTier.Excluded, 0)]
    public void Standing_decides_what_work_earns(TrustTier tier, double factor)
    {
        Assert.Equal(3 * factor * 1.1, Incentive.Reward(3e9, tier, 1.1, Settings), 12);
        Assert.Equal(3 * factor * 1.2, Incentive.VerifierReward(3e9, tier, Settings), 12);
    }

    [Theory]
    [InlineData(100, 100, 1)]
    [InlineData(100, 125, 0.8)]
    [InlineData(100, 400, 0.5)]
    [InlineData(100, 90, 100 / 90.0)]
    [InlineData(100, 10, 1.2)]
    [InlineData(100, 0, 1.2)]
    [InlineData(0, 100, 1)]
    [InlineData(-1, 100, 1)]
    public void Speed_decides_within_bounds(int expected, int taken, double factor)
        => Assert.Equal(factor, Incentive.LatencyFactor(TimeSpan.FromMilliseconds(expected), TimeSpan.FromMilliseconds(taken), Settings), 12);

    [Theory]
    [InlineData("anna", "anna", false)]
    [InlineData("anna", "otto", true)]
    [InlineData(null, null, true)]
    [InlineData("anna", null, true)]
    public void Nobody_earns_by_serving_himself(string? requester, string? server, bool earns) => Assert.Equal(earns, Incentive.Earns(requester, server));

    /// <summary>In rewards of one position: a liar saves at most the whole unit. The loss is that of the whole identity, or of a first failure alone for one that is honest from then on.</summary>
    [Fact]
    public void With_the_defaults_honesty_is_the_best_reply_with_three_lying_verifiers_in_ten()
    {
        Assert.True(Incentive.HonestIsBest(Settings.FullRate, 1, 0.3, Incentive.IdentityTokens(Settings), UnitCut.Rows));
        Assert.True(Incentive.HonestIsBest(Settings.FullRate, 1, 0.3, Settings.FirstSlash, UnitCut.Rows));
        Assert.True(Incentive.HonestIsBest(Settings.JuniorRate, 1, 0.3, Settings.FirstSlash, UnitCut.Rows * Settings.JuniorShare));
    }

    [Theory]
    [InlineData(0.05, 1, 0.375, 512, 16, true)]
    [InlineData(0.05, 1, 0.376, 512, 16, false)]
    [InlineData(0.05, 0.5, 0, 512, 16, false)]
    [InlineData(0.01, 1, 0, 512, 16, false)]
    [InlineData(0.01, 1, 0, 4096, 16, true)]
    public void Whether_lying_pays_depends_on_what_is_found_and_lost(double rate, double detection, double lying, double loss, double saving, bool isBest)
        => Assert.Equal(isBest, Incentive.HonestIsBest(rate, detection, lying, loss, saving));
}
