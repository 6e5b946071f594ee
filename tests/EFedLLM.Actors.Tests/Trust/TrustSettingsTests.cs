using System.Collections;
using System.Globalization;
using System.Reflection;
using Akka.Configuration;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class TrustSettingsTests : IDisposable
{
    private static readonly NodeSettings Anchor = new() { Roles = [ClusterNames.Anchor], DataFolder = "data" };

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void The_defaults_of_the_code_are_those_of_the_file()
        => Assert.Equal(new TrustSettings(), TrustSettings.Read(NodeConfiguration.Build(Anchor, new Hashtable())));

    [Fact]
    public void Every_setting_is_read()
    {
        File.WriteAllText(_file, """
            efedllm.trust {
              mode = off, proof-bytes = 1 MB
              audit {
                full-rate = 0.1, junior-rate = 0.3, probation-tokens = 2048, junior-tokens = 8192, opening-deadline = 20 s, verifier-gap = 4
                planted-share = 0.1
              }
              standing {
                pass-step = -0.02, soft-step = 4, hard-step = 7, exclude-at = 20, hard-failures = 6, hard-window = 30 d, openings = 5, right-openings = 3, faulty-passes = 70
                ban = 10 d, ban-growth = 3, return-score = 0.25
              }
              incentive {
                reference-flop = 2e9, junior-share = 0.25, slowest-factor = 0.25, fastest-factor = 2, verifier-share = 1.5, vesting = 12 h, escrow-tokens = 4096
                first-slash = 256, second-slash = 512, finder-share = 0.25
              }
              routing { half-life = 3 d, failure-weight = 10 }
            }
            """);
        var (defaults, read) = (new TrustSettings(), TrustSettings.Read(Build()));
        foreach (var property in typeof(TrustSettings).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            Assert.False(Equals(property.GetValue(defaults), property.GetValue(read)), $"{property.Name} is not read");
        }
    }

    [Fact]
    public void The_environment_overrides_a_setting()
    {
        var environment = new Hashtable { ["EFEDLLM__TRUST__MODE"] = "off", ["EFEDLLM__TRUST__AUDIT__FULL_RATE"] = "0.1", ["EFEDLLM__TRUST__STANDING__PASS_STEP"] = "-0.02" };
        var settings = TrustSettings.Read(NodeConfiguration.Build(Anchor, environment));
        Assert.Equal((false, 0.1, -0.02), (settings.IsOn, settings.FullRate, settings.PassStep));
    }

    [Theory]
    [InlineData("efedllm.trust.mod = on", "efedllm.trust.mod", "mode")]
    [InlineData("efedllm.trust.audit.rate = 1", "efedllm.trust.audit.rate", "full-rate")]
    [InlineData("efedllm.trust.mode = sometimes", "efedllm.trust.mode", "on or off")]
    [InlineData("efedllm.trust.audit.full-rate = 0", "efedllm.trust.audit.full-rate", "mode = off")]
    [InlineData("efedllm.trust.audit.full-rate = -0.1", "efedllm.trust.audit.full-rate", "0 to 1")]
    [InlineData("efedllm.trust.audit.full-rate = 1.1", "efedllm.trust.audit.full-rate", "0 to 1")]
    [InlineData("efedllm.trust.audit.full-rate = NaN", "efedllm.trust.audit.full-rate", "0 to 1")]
    [InlineData("efedllm.trust.audit.full-rate = 0.3", "efedllm.trust.audit.junior-rate", "full-rate")]
    [InlineData("efedllm.trust.audit.junior-rate = 0.01", "efedllm.trust.audit.junior-rate", "full-rate")]
    [InlineData("efedllm.trust.audit.junior-rate = 2", "efedllm.trust.audit.junior-rate", "0 to 1")]
    [InlineData("efedllm.trust.audit.probation-tokens = 1000", "efedllm.trust.audit.probation-tokens", "multiple of 16")]
    [InlineData("efedllm.trust.audit.junior-tokens = 4100", "efedllm.trust.audit.junior-tokens", "multiple of 16")]
    [InlineData("efedllm.trust.audit.junior-tokens = 1008", "efedllm.trust.audit.junior-tokens", "probation-tokens")]
    [InlineData("efedllm.trust.audit.probation-tokens = 8192", "efedllm.trust.audit.junior-tokens", "probation-tokens")]
    [InlineData("efedllm.trust.audit.opening-deadline = 0", "efedllm.trust.audit.opening-deadline", "")]
    [InlineData("efedllm.trust.audit.verifier-gap = -1", "efedllm.trust.audit.verifier-gap", "0 to 1024")]
    [InlineData("efedllm.trust.audit.planted-share = 1.5", "efedllm.trust.audit.planted-share", "0 to 1")]
    [InlineData("efedllm.trust.standing.pass-step = 0", "efedllm.trust.standing.pass-step", "below 0")]
    [InlineData("efedllm.trust.standing.pass-step = 0.01", "efedllm.trust.standing.pass-step", "below 0")]
    [InlineData("efedllm.trust.standing.pass-step = -0.00001", "efedllm.trust.standing.pass-step", "four decimals")]
    [InlineData("efedllm.trust.standing.soft-step = 0", "efedllm.trust.standing.soft-step", "above 0")]
    [InlineData("efedllm.trust.standing.soft-step = 6.9081", "efedllm.trust.standing.hard-step", "soft-step")]
    [InlineData("efedllm.trust.standing.hard-step = 4", "efedllm.trust.standing.hard-step", "soft-step")]
    [InlineData("efedllm.trust.standing.hard-step = 18.42", "efedllm.trust.standing.exclude-at", "single failure")]
    [InlineData("efedllm.trust.standing.hard-step = Infinity", "efedllm.trust.standing.hard-step", "0 to 100")]
    [InlineData("efedllm.trust.standing.hard-step = 6.90775", "efedllm.trust.standing.hard-step", "four decimals")]
    [InlineData("efedllm.trust.standing.exclude-at = 6", "efedllm.trust.standing.exclude-at", "single failure")]
    [InlineData("efedllm.trust.standing.exclude-at = 18.42068", "efedllm.trust.standing.exclude-at", "four decimals")]
    [InlineData("efedllm.trust.standing.hard-failures = 1", "efedllm.trust.standing.hard-failures", "2 to 64")]
    [InlineData("efedllm.trust.standing.hard-failures = 65", "efedllm.trust.standing.hard-failures", "2 to 64")]
    [InlineData("efedllm.trust.standing.hard-window = soon", "efedllm.trust.standing.hard-window", "soon")]
    [InlineData("efedllm.trust.standing.faulty-passes = -1", "efedllm.trust.standing.faulty-passes", "0 to 1000000")]
    [InlineData("efedllm.trust.standing.right-openings = 4", "efedllm.trust.standing.right-openings", "1 to 3")]
    [InlineData("efedllm.trust.standing.ban = 0", "efedllm.trust.standing.ban", "")]
    [InlineData("efedllm.trust.standing.ban-growth = 0.5", "efedllm.trust.standing.ban-growth", "1 to 100")]
    [InlineData("efedllm.trust.standing.return-score = 1", "efedllm.trust.standing.return-score", "excluded")]
    [InlineData("efedllm.trust.incentive.reference-flop = 0", "efedllm.trust.incentive.reference-flop", "")]
    [InlineData("efedllm.trust.incentive.junior-share = 2", "efedllm.trust.incentive.junior-share", "0 to 1")]
    [InlineData("efedllm.trust.incentive.slowest-factor = 0", "efedllm.trust.incentive.slowest-factor", "not be worth")]
    [InlineData("efedllm.trust.incentive.fastest-factor = 0.9", "efedllm.trust.incentive.fastest-factor", "1 to 100")]
    [InlineData("efedllm.trust.incentive.verifier-share = -1", "efedllm.trust.incentive.verifier-share", "0 to 100")]
    [InlineData("efedllm.trust.incentive.vesting = 0", "efedllm.trust.incentive.vesting", "")]
    [InlineData("efedllm.trust.incentive.escrow-tokens = 1535", "efedllm.trust.incentive.escrow-tokens", "512 and 1024")]
    [InlineData("efedllm.trust.incentive.first-slash = -1", "efedllm.trust.incentive.first-slash", "")]
    [InlineData("efedllm.trust.incentive { first-slash = 1073741824, second-slash = 1073741824 }", "efedllm.trust.incentive.escrow-tokens", "must fit")]
    [InlineData("efedllm.trust.incentive.finder-share = 1", "efedllm.trust.incentive.finder-share", "lose nothing")]
    [InlineData("efedllm.trust.routing.half-life = 0", "efedllm.trust.routing.half-life", "")]
    [InlineData("efedllm.trust.routing.failure-weight = 0", "efedllm.trust.routing.failure-weight", "1 to 1000000")]
    public void An_unknown_or_impossible_setting_stops_the_start_and_names_it(string hocon, string key, string hint)
    {
        File.WriteAllText(_file, hocon);
        var error = Assert.Throws<ConfigurationException>(Build);
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains(hint, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_least_and_the_most_that_is_possible_is_possible()
    {
        File.WriteAllText(_file, "efedllm.trust { audit { full-rate = 1, junior-rate = 1 }\n standing { soft-step = 6.908, exclude-at = 6.9081 } }");
        var settings = TrustSettings.Read(Build());
        Assert.Equal((1.0, 6.9081), (settings.FullRate, settings.ExcludeAt));
        File.WriteAllText(_file, "efedllm.trust { audit { full-rate = 1e-9, junior-rate = 1e-9, probation-tokens = 0, junior-tokens = 0 } }");
        settings = TrustSettings.Read(Build());
        Assert.Equal("1E-09 0", string.Create(CultureInfo.InvariantCulture, $"{settings.JuniorRate} {settings.JuniorTokens}"));
    }

    private Config Build() => NodeConfiguration.Build(Anchor with { ConfigurationFile = _file }, new Hashtable());
}
