using EFedLLM.Actors.Trust;
using EFedLLM.Actors.Trust.Figures;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Trust.Figures;

/// <summary>What the rules lead to. Every figure is computed from <see cref="StandingRules"/>; those that are compared with a document are so within 15 %.</summary>
public sealed class FiguresTests(ITestOutputHelper output)
{
    private const int Runs = 10_000;
    private const int Seed = 20;

    private static readonly TrustSettings Settings = new();

    /// <summary>Its faults are hard ones: three of them with at most 230 passes between them reach the bound, which is 231 · 232 / 2 ways to share them between the two gaps; four or more that are further apart add little.</summary>
    [Theory]
    [InlineData(1e-6, 2.7e-9)]
    [InlineData(1e-5, 2.7e-6)]
    public void An_honest_device_is_hardly_ever_excluded_by_the_statistic(double faultRate, double expected)
    {
        var odds = ExclusionOdds.Of(Settings, CheckOutcome.Hard, faultRate, 100_000);
        output.WriteLine($"{odds}");
        Assert.InRange(odds.ByScore, expected / 1.15, expected * 1.15);
        Assert.InRange(odds.ByScore / (231 * 232 / 2 * 1e5 * Math.Pow(faultRate, 3)), 0.99, 1.05);
    }

    /// <summary>The bound of hard failures is no part of that: five faults in one window are far likelier than three close together. This is the binomial distribution.</summary>
    [Theory]
    [InlineData(1e-6, 7.667e-8)]
    [InlineData(1e-5, 3.6596e-3)]
    public void Five_hard_failures_within_one_window_are_likelier_than_the_statistic(double faultRate, double expected)
        => Assert.Equal(1, ExclusionOdds.Of(Settings, CheckOutcome.Hard, faultRate, 100_000).ByCount / expected, 2);

    [Fact]
    public void Soft_faults_of_an_honest_device_come_to_nothing()
    {
        var odds = ExclusionOdds.Of(Settings, CheckOutcome.Soft, 1e-5, 100_000);
        output.WriteLine($"{odds}");
        Assert.InRange(odds.ByScore, 1e-11, 4e-11);
        Assert.Equal(0, odds.ByCount);
    }

    [Fact]
    public void The_statistic_of_an_honest_device_has_as_many_values_as_its_steps_allow()
        => Assert.Equal(9210, new StandingChain(Settings, CheckOutcome.Hard).States);

    /// <summary>Where faults are frequent enough for a simulation, it shows what the chain says.</summary>
    [Theory]
    [InlineData(CheckOutcome.Hard, 0.003, 300)]
    [InlineData(CheckOutcome.Hard, 0.001, 3000)]
    [InlineData(CheckOutcome.Soft, 0.01, 1500)]
    public void The_chain_agrees_with_a_simulation_of_the_rules(CheckOutcome fault, double faultRate, int audits)
    {
        const int Devices = 2000;
        var random = new Random(Seed);
        var settings = Settings with { MostHardFailures = int.MaxValue };
        var excluded = 0;
        for (var i = 0; i < Devices; i++)
        {
            var standing = RoleStanding.New;
            for (var audit = 0; audit < audits && standing.ExcludedAt is null; audit++)
            {
                standing = StandingRules.After(standing, random.NextDouble() < faultRate ? fault : CheckOutcome.Passed, 16, DateTimeOffset.UnixEpoch, settings);
            }

            excluded += standing.ExcludedAt is null ? 0 : 1;
        }

        var odds = ExclusionOdds.Of(Settings, fault, faultRate, audits).ByScore;
        output.WriteLine($"seed {Seed}: {excluded} of {Devices}, the chain says {odds * Devices}");
        TrustSamples.IsBinomial(excluded, Devices, odds, 4);
    }

    [Fact]
    public void A_chain_that_has_settled_goes_on_as_it_would_check_by_check()
    {
        // 2 · 2048 checks are before it can settle, so each of these is computed to its end; and together they must be what one says.
        var chain = new StandingChain(Settings, CheckOutcome.Hard);
        var (one, two, many) = (Of(3000), Of(4000), Of(1_003_000));
        var perThousand = (two - one) / (1 - one);
        Assert.Equal(1, (1 - ((1 - one) * Math.Pow(1 - perThousand, 1000))) / many, 6);

        double Of(int audits) => chain.Excluded(1e-5, audits, CancellationToken.None);
    }

    [Theory]
    [InlineData(0, 100_000, 0)]
    [InlineData(1, 2, 0)]
    [InlineData(1, 3, 1)]
    [InlineData(1, 100_000, 1)]
    [InlineData(0.5, 0, 0)]
    [InlineData(0.5, 3, 0.125)]
    public void The_ends_of_the_chain_are_right(double faultRate, int audits, double expected)
        => Assert.Equal(expected, ExclusionOdds.Of(Settings, CheckOutcome.Hard, faultRate, audits).ByScore, 12);

    [Theory]
    [InlineData(CheckOutcome.Passed, 0.5, 1)]
    [InlineData(CheckOutcome.Hard, -0.1, 1)]
    [InlineData(CheckOutcome.Hard, 1.1, 1)]
    [InlineData(CheckOutcome.Hard, double.NaN, 1)]
    [InlineData(CheckOutcome.Hard, 0.5, -1)]
    [InlineData(CheckOutcome.Hard, 0.5, int.MaxValue)]
    public void A_device_that_there_is_not_is_refused(CheckOutcome fault, double faultRate, int audits)
        => Assert.Throws<ArgumentOutOfRangeException>(() => ExclusionOdds.Of(Settings, fault, faultRate, audits));

    /// <summary>A unit has 16 positions. The first bad unit that is checked is on average the (1/q)th; then everything is, and two more exclude. With one position of a hundred wrong, a unit is bad with probability 1 - 0.99^16 = 0.14854.</summary>
    [Theory]
    [InlineData(TrustTier.Probation, 1, 48, 48)]
    [InlineData(TrustTier.Junior, 1, 108, 16 * ((1 / 0.2) + 2))]
    [InlineData(TrustTier.Full, 1, 339, 16 * ((1 / 0.05) + 2))]
    [InlineData(TrustTier.Full, 0.01, 2302, 16 * ((1 / 0.05) + 2) / 0.14854)]
    public void A_liar_delivers_little_until_it_is_excluded(TrustTier tier, double cheatRate, double documented, double exact)
    {
        var exposure = ExposureSimulation.Run(Settings, tier, cheatRate, Runs, Seed);
        output.WriteLine($"seed {Seed}: {exposure}");
        Assert.InRange(exposure.MeanTokens, documented / 1.15, documented * 1.15);
        Assert.InRange(exposure.MeanTokens, exact * 0.97, exact * 1.03);
        Assert.Equal(1, exposure.ExcludedShare);
    }

    [Fact]
    public void Of_a_hundred_liars_with_a_full_standing_ninety_five_deliver_a_thousand_tokens_at_most()
        => Assert.InRange(ExposureSimulation.Run(Settings, TrustTier.Full, 1, Runs, Seed).P95Tokens, 0, 1000);

    [Fact]
    public void The_same_seed_gives_the_same_liars_and_another_seed_others()
    {
        Assert.Equal(Run(1), Run(1));
        Assert.NotEqual(Run(1), Run(2));

        static Exposure Run(int seed) => ExposureSimulation.Run(Settings, TrustTier.Full, 0.05, 100, seed);
    }

    [Fact]
    public void A_liar_that_nobody_can_exclude_ends_the_simulation_all_the_same()
    {
        var settings = Settings with { FullRate = 1e-9, JuniorRate = 1e-9 };
        var exposure = ExposureSimulation.Run(settings, TrustTier.Full, 1, 3, Seed);
        Assert.Equal((0, ExposureSimulation.MostTokens), (exposure.ExcludedShare, exposure.MeanTokens));
    }

    [Theory]
    [InlineData(TrustTier.Quarantined, 1, 1)]
    [InlineData(TrustTier.Full, 0, 1)]
    [InlineData(TrustTier.Full, 1.1, 1)]
    [InlineData(TrustTier.Full, 1, 0)]
    [InlineData(TrustTier.Full, 1, 1_000_001)]
    public void Liars_that_there_are_not_are_refused(TrustTier tier, double cheatRate, int runs)
        => Assert.Throws<ArgumentOutOfRangeException>(() => ExposureSimulation.Run(Settings, tier, cheatRate, runs, Seed));

    [Fact]
    public void All_figures_together_cover_every_rate_and_say_what_lying_costs()
    {
        var figures = TrustFigures.Of(Settings, 2000, Seed);
        foreach (var exposure in figures.Grid)
        {
            output.WriteLine($"{exposure}");
        }

        Assert.Equal(
            TrustFigures.CheatRates.SelectMany(_ => TrustFigures.AuditRates, (cheats, checks) => (cheats, checks)),
            figures.Grid.Select(exposure => (exposure.CheatRate, exposure.Rate)));
        Assert.All(figures.Grid, exposure => Assert.Equal(1, exposure.ExcludedShare));

        // Who lies more is excluded sooner, and so is who is checked more.
        Assert.All(figures.Grid.GroupBy(exposure => exposure.Rate), rate => Assert.Equal(rate.Select(exposure => exposure.MeanTokens).OrderDescending(), rate.Select(exposure => exposure.MeanTokens)));
        Assert.All(figures.Grid.GroupBy(exposure => exposure.CheatRate), rate => Assert.Equal(rate.Select(exposure => exposure.MeanTokens).OrderDescending(), rate.Select(exposure => exposure.MeanTokens)));
        Assert.InRange(figures.LossPerGain, 12 / 1.15, 12 * 1.15);
        Assert.Equal(0.375, figures.LyingBorne, 12);
    }
}
