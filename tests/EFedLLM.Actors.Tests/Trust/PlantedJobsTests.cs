using EFedLLM.Actors.Trust;
using static EFedLLM.Actors.Tests.Trust.TrustSamples;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class PlantedJobsTests
{
    private const int Checks = 100_000;

    [Theory]
    [InlineData(0.05)]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(1)]
    public void The_share_is_the_setting(double planted)
        => IsBinomial(Enumerable.Range(0, Checks).Count(i => PlantedJobs.IsPlanted(Digest(-1), Digest(i), new TrustSettings { PlantedShare = planted })), Checks, planted);

    [Fact]
    public void A_check_is_always_planted_or_never_and_with_another_secret_others_are()
    {
        var settings = new TrustSettings { PlantedShare = 0.5 };
        var same = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var isPlanted = PlantedJobs.IsPlanted(Digest(-1), Digest(i), settings);
            Assert.Equal(isPlanted, PlantedJobs.IsPlanted(Digest(-1), Digest(i), settings));
            same += isPlanted == PlantedJobs.IsPlanted(Digest(-2), Digest(i), settings) ? 1 : 0;
        }

        IsBinomial(same, 10_000, 0.5);
    }
}
