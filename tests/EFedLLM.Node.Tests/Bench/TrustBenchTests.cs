using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Bench;

namespace EFedLLM.Node.Tests.Bench;

public sealed class TrustBenchTests
{
    [Theory]
    [InlineData(TrustBench.HardlyAny)]
    [InlineData(0.05)]
    [InlineData(1)]
    public void The_settings_of_a_measurement_check_its_share_of_whoever_passed_once(double share)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, TrustBench.Configuration(share));
            var settings = TrustSettings.Read(NodeConfiguration.Build(new NodeSettings { Roles = [ClusterNames.Anchor], DataFolder = Path.GetTempPath(), ConfigurationFile = file }));
            var passed = RoleStanding.New with { PassedTokens = 16 };
            Assert.Equal((1, share), (StandingRules.Rate(StandingRules.Tier(RoleStanding.New, settings), settings), StandingRules.Rate(StandingRules.Tier(passed, settings), settings)));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
