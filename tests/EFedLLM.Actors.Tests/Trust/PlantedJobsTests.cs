using EFedLLM.Actors.Trust;
using static EFedLLM.Actors.Tests.Trust.TrustSamples;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class PlantedJobsTests
{
    private const int Checks = 100_000;

    [Theory]
    [InlineData(0.05, 0.5)]
    [InlineData(0.3, 0.1)]
    [InlineData(0, 0.5)]
    [InlineData(0.5, 0)]
    [InlineData(0.5, 1)]
    public void The_shares_are_the_settings(double planted, double wrong)
    {
        var settings = new TrustSettings { PlantedShare = planted, PlantedWrongShare = wrong };
        var kinds = Enumerable.Range(0, Checks).Select(i => PlantedJobs.Of(Digest(-1), Digest(i), settings)).CountBy(kind => kind).ToDictionary();
        IsBinomial(kinds.GetValueOrDefault(PlantedKind.Right), Checks, planted * (1 - wrong));
        IsBinomial(kinds.GetValueOrDefault(PlantedKind.Wrong), Checks, planted * wrong);
    }

    [Fact]
    public void A_check_is_always_the_same_kind_and_another_one_with_another_secret()
    {
        var settings = new TrustSettings { PlantedShare = 0.5 };
        var same = 0;
        for (var i = 0; i < 10_000; i++)
        {
            Assert.Equal(PlantedJobs.Of(Digest(-1), Digest(i), settings), PlantedJobs.Of(Digest(-1), Digest(i), settings));
            same += PlantedJobs.Of(Digest(-1), Digest(i), settings) == PlantedJobs.Of(Digest(-2), Digest(i), settings) ? 1 : 0;
        }

        IsBinomial(same, 10_000, 0.25 + 0.0625 + 0.0625);
    }
}
