using EFedLLM.Actors.Tests.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Actors.Trust.Figures;
using EFedLLM.Tests.Support;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>
/// Many seeded runs of the attacks whose outcome is a matter of chance, over real shards and kernels, as tables. A device that begins to
/// cheat with a full standing serves the middle third of a model in every session until the ledger excludes it.
/// </summary>
[Trait("Category", "Long")]
public sealed class AttackGridTests(ITestOutputHelper output)
{
    private const int Liar = AttackedFleet.PerHop;
    private const int MostSessions = 4000;

    private static readonly int Runs = Environment.GetEnvironmentVariable("RUNS") is { Length: > 0 } text ? int.Parse(text) : 10;

    [SharedFact]
    public void Whatever_it_cheats_and_whatever_is_checked_a_liar_is_excluded()
    {
        output.WriteLine("| cheats | checked | excluded | tokens until then, mean | simulated | most | wrong answers |");
        output.WriteLine("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (var cheats in TrustFigures.CheatRates)
        {
            foreach (var rate in TrustFigures.AuditRates)
            {
                var trust = new TrustSettings { FullRate = rate, JuniorRate = Math.Max(rate, 0.2) };
                var (tokens, wrong) = (new List<int>(), 0);
                for (var seed = 1; seed <= Runs; seed++)
                {
                    using var fleet = new AttackedFleet(Only($"sign-flip:{cheats}"), (100 * seed) + 1, trust, passed: 4096);
                    tokens.Add(fleet.RunUntilExcluded(Liar, MostSessions, isTold: true));
                    wrong += fleet.WrongAnswers;
                    Untouched(fleet);
                }

                var simulated = ExposureSimulation.Run(trust, TrustTier.Full, cheats, 10_000, seed: 1);
                output.WriteLine($"| {cheats:P0} | {rate:P0} | {tokens.Count} of {Runs} | {tokens.Average():0} | {simulated.MeanTokens:0} | {tokens.Max()} | {wrong} |");
                Assert.True(tokens.Average() <= 3 * simulated.MeanTokens, "It delivers far more than the rules say.");
            }
        }
    }

    [SharedFact]
    public void The_mean_of_what_one_delivers_that_always_cheats_is_what_the_rules_say()
    {
        output.WriteLine("| begins as | runs | tokens until excluded, mean | the rules say |");
        output.WriteLine("| --- | ---: | ---: | ---: |");
        foreach (var (tier, passed, expected) in new[] { (TrustTier.Probation, 0L, 48.0), (TrustTier.Junior, 1024L, 108), (TrustTier.Full, 4096L, 339) })
        {
            var runs = tier == TrustTier.Probation ? Runs : 20 * Runs;
            var tokens = new List<int>();
            for (var seed = 1; seed <= runs; seed++)
            {
                using var fleet = new AttackedFleet(Only("sign-flip"), seed, passed: passed);
                tokens.Add(fleet.RunUntilExcluded(Liar, MostSessions, isTold: tier != TrustTier.Probation));
            }

            output.WriteLine($"| {tier.ToString().ToLowerInvariant()} | {runs} | {tokens.Average():0} | {expected} |");

            // Within 15 %, and what chance adds: what one delivers spreads as widely as its mean.
            var tolerance = 0.15 + (tier == TrustTier.Probation ? 0 : 2 / Math.Sqrt(runs));
            Assert.InRange(tokens.Average(), expected * (1 - tolerance), expected * (1 + tolerance));
        }
    }

    [SharedTheory]
    [InlineData("sleeper=50000")]
    public void Fifty_thousand_honest_tokens_buy_a_sleeper_nothing(string behaviour)
    {
        using var fleet = new AttackedFleet(Only(behaviour), 1);
        var delivered = fleet.RunUntilExcluded(Liar, MostSessions, isTold: true);
        output.WriteLine($"{behaviour}: excluded after {delivered} tokens, {delivered - 50_000} of them behind the first wrong one; {fleet.WrongAnswers} of {fleet.Sessions} answers were wrong");
        Assert.InRange(delivered, 50_000, 52_000);
        Untouched(fleet);
    }

    [SharedFact]
    public void Whoever_returns_under_new_keys_delivers_no_more_each_time()
    {
        // A new key is a newcomer to a ledger that knows nothing of it.
        var tokens = new List<int>();
        for (var key = 1; key <= 20; key++)
        {
            using var fleet = new AttackedFleet(Only("sign-flip"), key);
            tokens.Add(fleet.RunUntilExcluded(Liar, mostSessions: 3));
        }

        output.WriteLine($"returning 20 times under new keys: {string.Join(", ", tokens.Distinct())} tokens each, none of them told");
        Assert.All(tokens, each => Assert.Equal(48, each));
    }

    [SharedTheory]
    [InlineData("slander")]
    [InlineData("lazy-verifier")]
    public void Rings_of_lying_verifiers_take_no_honest_device_with_them(string behaviour)
    {
        output.WriteLine($"| {behaviour} | sessions | honest devices accused | verifiers named |");
        output.WriteLine("| ---: | ---: | ---: | ---: |");
        foreach (var (share, places) in new (string, int[])[] { ("10 %", [5]), ("20 %", [5, 9]), ("30 %", [5, 6, 1, 9]) })
        {
            using var fleet = new AttackedFleet([.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => places.Contains(number) ? behaviour : null)], 1);
            for (var sessions = 0; sessions < 10 * Runs; sessions++)
            {
                // Through one of the honest, so that the others check it.
                var (session, _) = fleet.Run(Liar);
                Assert.Equal(fleet.Honest, session.Tokens);
            }

            var honest = Enumerable.Range(0, AttackedFleet.Devices).Except(places).Count(number => fleet[number] is not { Server: { Hard: 0, Soft: 0 }, Verifier: { Hard: 0, Soft: 0 } });
            output.WriteLine($"| {share} | {fleet.Sessions} | {honest} | {places.Count(number => fleet[number].Verifier.Hard > 0)} of {places.Length} |");
            Assert.Equal(0, honest);
        }
    }

    private static string?[] Only(string behaviour) => [.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => number == Liar ? behaviour : null)];

    private static void Untouched(AttackedFleet fleet)
    {
        for (var number = 0; number < AttackedFleet.Devices; number++)
        {
            if (number != Liar)
            {
                fleet.IsUntouched(number);
            }
        }
    }
}
