using EFedLLM.Actors.Tests.Auditing;
using EFedLLM.Actors.Tests.Trust;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>Devices that cheat only where they believe that it pays. What each test bounds is said beside it; the seeds are fixed.</summary>
public sealed class StrategyTests(ITestOutputHelper output)
{
    private const int Seed = 3;
    private const int Liar = 4;

    [SharedFact]
    public void Who_cheats_those_of_one_gateway_alone_is_excluded_for_all_after_three_units()
    {
        var (cheated, spared) = (AuditedSession.Self.WithPort(1), AuditedSession.Self.WithPort(2));
        using var fleet = new AttackedFleet(AttackedFleet.Only(Liar, new Towards($"{cheated}")), Seed);
        var delivered = 0;
        while (fleet.Sessions == 0 || fleet.Tier(Liar) != TrustTier.Excluded)
        {
            var (honest, all) = fleet.Run(Liar, gateway: spared);
            Assert.Equal(fleet.Honest, honest.Tokens);
            Assert.Equal(fleet.Positions, all);
            var (session, more) = fleet.Run(Liar, gateway: cheated);
            Assert.Equal(fleet.Honest, session.Tokens);
            Assert.True((delivered += more) <= 3 * UnitCut.Rows, $"It gave {delivered} positions.");
        }

        fleet.Run(Liar, gateway: spared);
        Assert.False(fleet.HasServed(Liar));
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>An opening says that a unit was checked, and nothing of the next one: who is honest after each is as soon found as a fool, once it cheats.</summary>
    [SharedTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Who_cheats_only_while_nobody_wants_anything_opened_is_excluded_within_two_thousand_tokens_all_the_same(int seed)
    {
        var suspicious = new Suspicious();
        using var fleet = new AttackedFleet(AttackedFleet.Only(Liar, suspicious), seed, passed: _ => 4096);
        fleet.RunUntilExcluded(Liar, mostSessions: 300, isTold: true);
        output.WriteLine($"seed {seed}: excluded after {fleet.Sessions} sessions and {suspicious.Wrong} wrong positions");
        Assert.InRange(suspicious.Wrong, 3, 2000);
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>Of the units that a server takes for unchecked, as many are checked as of all: half of them here, within four standard deviations.</summary>
    [SharedFact]
    public void A_server_that_shares_the_requester_s_nonce_cannot_tell_which_of_its_units_are_checked()
    {
        const double Rate = 0.5;
        using var fleet = new AttackedFleet(new Saboteur?[AttackedFleet.Devices], Seed, new TrustSettings { FullRate = Rate, JuniorRate = Rate }, _ => 4096);
        var zero = default(Digest);
        var (believed, chosen) = (new int[3], new int[3]);
        for (var sessions = 0; sessions < 40; sessions++)
        {
            var (session, _) = fleet.Run();

            // The other nonce may be the same one, or none, or made of it: whatever it takes it for.
            var guesses = new[] { session.Requester, zero, Digest.Of([.. $"{session.Requester}".Select(letter => (byte)letter)]) };
            foreach (var (receipt, isChosen) in session.Units())
            {
                for (var guess = 0; guess < guesses.Length; guess++)
                {
                    if (!AuditDraw.IsChosen(session.Requester, guesses[guess], receipt.Hash, Rate))
                    {
                        believed[guess]++;
                        chosen[guess] += isChosen ? 1 : 0;
                    }
                }
            }
        }

        foreach (var (units, checks) in believed.Zip(chosen))
        {
            output.WriteLine($"{checks} of {units} units that were taken for unchecked were checked");
            Assert.True(units > 150);
            TrustSamples.IsBinomial(checks, units, Rate, 4);
        }
    }

    /// <summary>One step in a thousand has one bit of one value wrong: each unit of those is found where everything is checked, and the third one within the memory of the statistic excludes.</summary>
    [SharedFact]
    public void One_flipped_bit_in_a_thousand_steps_is_found_each_time_and_nothing_of_it_is_told()
    {
        var forever = new TrustSettings { ProbationTokens = 1 << 24, JuniorTokens = 1 << 24 };
        using var fleet = new AttackedFleet(AttackedFleet.Only(Liar, "bit-flip:0.001"), Seed, forever);
        var delivered = fleet.RunUntilExcluded(Liar, mostSessions: 400);
        output.WriteLine($"excluded after {delivered} tokens and {fleet[Liar].Server.Hard} wrong units");
        Assert.InRange(fleet[Liar].Server.Hard, 3, 5);
        fleet.OthersAreUntouched(Liar);
    }

    private static void FlipSigns(HopOutput output)
    {
        foreach (ref var value in output.Values.Span)
        {
            value = -value;
        }
    }

    /// <summary>Flips signs for whoever asks through one gateway.</summary>
    private sealed class Towards(string gateway) : IHopBehavior
    {
        public void Computed(HopOutput output)
        {
            if (output.Gateway == gateway)
            {
                FlipSigns(output);
            }
        }
    }

    /// <summary>Flips signs while nobody has wanted it to open anything for a while.</summary>
    private sealed class Suspicious : IHopBehavior
    {
        private const int Caution = 100;

        private int _left;

        /// <summary>Positions that it gave wrongly.</summary>
        public int Wrong { get; private set; }

        public TimeSpan OpeningDelay
        {
            get
            {
                _left = Caution;
                return TimeSpan.Zero;
            }
        }

        public void Computed(HopOutput output)
        {
            if (_left <= 0)
            {
                FlipSigns(output);
                Wrong += output.Rows;
            }

            _left -= output.Rows;
        }
    }
}
