using EFedLLM.Actors.Tests.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Actors.Trust.Figures;
using EFedLLM.Tests.Support;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>
/// Many seeded runs of the attacks whose outcome is a matter of chance, over real shards and kernels, a row of a table each. A device that
/// begins to cheat serves the middle third of a model in every session until the ledger excludes it.
/// </summary>
[Trait("Category", "Long")]
public sealed class AttackGridTests(ITestOutputHelper output)
{
    private const int Liar = AttackedFleet.PerHop;
    private const int MostSessions = 20_000;

    // Of many sums of a few things as wide as their mean, all but one in a hundred lie within so many of their own deviations.
    private const double Deviations = 2.5;

    private static readonly int Runs = Environment.GetEnvironmentVariable("RUNS") is { Length: > 0 } text ? int.Parse(text) : 10;

    public static TheoryData<double, double> Grid
    {
        get
        {
            var cells = new TheoryData<double, double>();
            foreach (var cheats in TrustFigures.CheatRates)
            {
                foreach (var checks in TrustFigures.AuditRates)
                {
                    cells.Add(cheats, checks);
                }
            }

            return cells;
        }
    }

    /// <summary>Bound: excluded in every run, and on average after what the simulation of the rules says, within 15 % and what chance leaves of so few runs.</summary>
    [SharedTheory]
    [MemberData(nameof(Grid))]
    public void Whatever_it_cheats_and_whatever_is_checked_a_liar_is_excluded(double cheats, double checks)
    {
        var trust = new TrustSettings { FullRate = checks, JuniorRate = Math.Max(checks, 0.2) };
        var tokens = new List<int>();
        var (wrong, sessions) = (0, 0);
        for (var seed = 1; seed <= Runs; seed++)
        {
            using var fleet = Fleet($"sign-flip:{cheats}", seed, trust, passed: 4096);
            tokens.Add(fleet.RunUntilExcluded(Liar, MostSessions, isTold: true));
            (wrong, sessions) = (wrong + fleet.WrongAnswers, sessions + fleet.Sessions);
            fleet.OthersAreUntouched(Liar);
        }

        var simulated = ExposureSimulation.Run(trust, TrustTier.Full, cheats, 10_000, seed: 1).MeanTokens;
        output.WriteLine($"| {cheats:P0} | {checks:P0} | {tokens.Count} of {Runs} | {tokens.Average():0} | {simulated:0} | {tokens.Max()} | {wrong} of {sessions} |");
        Within(tokens, simulated, simulated);
    }

    /// <summary>Bound: what TRUST says, within 15 % and what chance leaves of so few runs.</summary>
    [SharedTheory]
    [InlineData(TrustTier.Probation, 0, 1, 48, 1)]
    [InlineData(TrustTier.Junior, 1024, 1, 108, 20)]
    [InlineData(TrustTier.Full, 4096, 1, 339, 20)]
    [InlineData(TrustTier.Full, 4096, 0.01, 2302, 4)]
    public void The_mean_of_what_a_liar_delivers_is_what_the_rules_say(TrustTier tier, long passed, double cheats, double expected, int share)
    {
        var runs = share * Runs;
        var tokens = new List<int>();
        for (var seed = 1; seed <= runs; seed++)
        {
            using var fleet = Fleet($"sign-flip:{cheats}", seed, new TrustSettings(), passed);
            tokens.Add(fleet.RunUntilExcluded(Liar, MostSessions, isTold: tier != TrustTier.Probation));
        }

        tokens.Sort();
        output.WriteLine($"| {tier.ToString().ToLowerInvariant()} | {cheats:P0} | {runs} | {tokens.Average():0} | {expected} | {tokens[(int)Math.Ceiling(0.95 * runs) - 1]} |");
        Within(tokens, expected, tier == TrustTier.Probation ? 0 : expected);
    }

    /// <summary>Bound: 50,000 honest tokens, and then no more than 2,000.</summary>
    [SharedFact]
    public void Fifty_thousand_honest_tokens_buy_a_sleeper_nothing()
    {
        using var fleet = Fleet("sleeper=50000", 1, new TrustSettings(), passed: 0);
        var delivered = fleet.RunUntilExcluded(Liar, MostSessions, isTold: true);
        output.WriteLine($"| honest for 50,000 tokens, then never | {delivered} | {delivered - 50_000} | {fleet.WrongAnswers} of {fleet.Sessions} |");
        Assert.InRange(delivered, 50_000, 52_000);
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>Bound: by the fifth lie that is found, whatever the statistic has forgotten meanwhile.</summary>
    [SharedFact]
    public void Who_is_honest_whenever_something_speaks_against_it_is_excluded_by_the_fifth_lie()
    {
        using var fleet = Fleet("cautious", 1, new TrustSettings(), passed: 4096);
        var delivered = fleet.RunUntilExcluded(Liar, MostSessions, isTold: true);
        output.WriteLine($"| honest whenever S > 0 | {delivered} | {fleet[Liar].Server.Hard} lies found | {fleet.WrongAnswers} of {fleet.Sessions} |");
        Assert.Equal((5L, 0L), (fleet[Liar].Server.Hard, fleet[Liar].Server.Soft));
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>Bound: no honest device is accused in any role, and every answer is the honest one.</summary>
    [SharedTheory]
    [InlineData("slander", 10, 5)]
    [InlineData("slander", 20, 5, 9)]
    [InlineData("slander", 30, 5, 6, 1, 9)]
    [InlineData("lazy-verifier", 10, 5)]
    [InlineData("lazy-verifier", 20, 5, 9)]
    [InlineData("lazy-verifier", 30, 5, 6, 1, 9)]
    public void Rings_of_lying_verifiers_take_no_honest_device_with_them(string behaviour, int percent, params int[] places)
    {
        using var fleet = new AttackedFleet([.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => places.Contains(number) ? behaviour : null)], 1);
        for (var sessions = 0; sessions < 10 * Runs; sessions++)
        {
            // Through one of the honest, so that the others check it.
            var (session, _) = fleet.Run(Liar);
            Assert.Equal(fleet.Honest, session.Tokens);
        }

        output.WriteLine($"| {behaviour} | {percent} % | {fleet.Sessions} | 0 | {places.Count(number => fleet[number].Verifier.Hard > 0)} of {places.Length} |");
        fleet.OthersAreUntouched(places);
    }

    private static AttackedFleet Fleet(string behaviour, int seed, TrustSettings trust, long passed)
        => new([.. AttackedFleet.Only(Liar, behaviour).Select(text => text is null ? null : Saboteur.Parse(text, seed))], seed, trust, _ => passed, isEven: true);

    /// <summary>The mean is within 15 % and the deviations that a mean of so many has.</summary>
    private static void Within(List<int> tokens, double expected, double spread)
    {
        var tolerance = (0.15 * expected) + (Deviations * spread / Math.Sqrt(tokens.Count));
        Assert.InRange(tokens.Average(), expected - tolerance, expected + tolerance);
    }
}
