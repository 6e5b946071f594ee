using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>
/// Every attack of a server or a verifier, session after session until the ledger excludes the liar or the attack has come to nothing. Each
/// test says what it bounds; the seeds are fixed.
/// </summary>
public sealed class AttackTests
{
    private const int Seed = 3;

    private static readonly string[] WrongWork =
    [
        "bf16", "bit-flip", "denormal", "echo-input", "int4", "int6", "int8", "low-rank", "noise", "replay", "sign-flip", "skip-attention", "skip-ffn", "stale",
        "noise=1", "noise=10000", "old-program", "stale=10", "stale=10000",
    ];

    public static TheoryData<string, int> AlwaysWrong
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var (number, behaviour) in WrongWork.Index())
            {
                // Each at two of the three hops; which, goes round. One bit of one logit need not change anything that the head gives.
                var (one, other) = behaviour == "bit-flip" ? (0, 1) : (number % 3, (number + 1) % 3);
                data.Add(behaviour, one);
                data.Add(behaviour, other);
            }

            return data;
        }
    }

    [SharedTheory]
    [MemberData(nameof(AlwaysWrong))]
    public void A_newcomer_that_always_cheats_is_excluded_after_three_units_and_no_answer_has_anything_of_it(string behaviour, int hop)
    {
        var liar = hop * AttackedFleet.PerHop;
        using var fleet = new AttackedFleet(AttackedFleet.Only(liar, behaviour), Seed);
        var delivered = fleet.RunUntilExcluded(liar, mostSessions: 3);

        // What the head gives are tokens: those that it draws, in the second unit. Wrong weights show in what it keeps before.
        Assert.Contains(delivered, hop == 2 ? (int[])[3 * 16, 3 * 32] : [3 * 16]);
        Assert.Equal((3L, 0L), (fleet[liar].Server.Hard, fleet[liar].Server.Soft));
        fleet.OthersAreUntouched(liar);
    }

    [SharedTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_junior_that_always_cheats_is_excluded_within_a_thousand_tokens(int seed)
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(4, "sign-flip"), seed, passed: 1024);
        Assert.InRange(fleet.RunUntilExcluded(4, mostSessions: 30, isTold: true), 48, 1000);
        fleet.OthersAreUntouched(4);
    }

    [SharedTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_device_with_a_full_standing_that_begins_to_cheat_is_excluded_within_two_thousand_tokens(int seed)
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(4, "sign-flip"), seed, passed: 4096);

        // 339 on average, 1,000 in 95 of 100 cases; that no unit is drawn for so long happens once in a thousand.
        Assert.InRange(fleet.RunUntilExcluded(4, mostSessions: 60, isTold: true), 48, 2000);
        fleet.OthersAreUntouched(4);
    }

    [SharedTheory]
    [InlineData("nan", 0)]
    [InlineData("nan", 1)]
    [InlineData("inf", 0)]
    [InlineData("inf", 1)]
    [InlineData("huge", 1)]
    public void Who_sends_what_no_model_gives_is_blamed_for_it_and_never_the_hop_that_refuses_it(string behaviour, int hop)
    {
        var liar = hop * AttackedFleet.PerHop;
        using var fleet = new AttackedFleet(AttackedFleet.Only(liar, behaviour), Seed);
        fleet.RunUntilExcluded(liar, mostSessions: 5);
        Assert.Equal(0, fleet[liar].Server.Hard);
        fleet.OthersAreUntouched(liar);
    }

    [SharedTheory]
    [InlineData("nan")]
    [InlineData("inf")]
    public void A_head_that_can_draw_nothing_is_left_for_another_and_nobody_else_is_blamed(string behaviour)
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(8, behaviour), Seed);
        for (var sessions = 1; sessions <= 3; sessions++)
        {
            var (session, _) = fleet.Run(8);
            Assert.Equal(fleet.Honest, session.Tokens);
            Assert.Equal(sessions, fleet[8].Failures);
        }

        fleet.OthersAreUntouched(8);
    }

    [SharedTheory]
    [InlineData("truncate", 0)]
    [InlineData("truncate", 1)]
    [InlineData("wrong-shape", 0)]
    [InlineData("wrong-shape", 1)]
    [InlineData("sign-one-send-another", 0)]
    [InlineData("sign-one-send-another", 1)]
    public void Who_sends_something_else_than_it_keeps_is_in_every_pair_that_contradicts_and_is_excluded_first(string behaviour, int hop)
    {
        var liar = hop * AttackedFleet.PerHop;
        using var fleet = new AttackedFleet(AttackedFleet.Only(liar, behaviour), Seed);
        fleet.RunUntilExcluded(liar, mostSessions: 6);

        // The hops behind it are in one pair each, or two.
        for (var number = 0; number < AttackedFleet.Devices; number++)
        {
            Assert.True(number == liar || (fleet.Tier(number) != TrustTier.Excluded && fleet[number].Server is { Hard: 0, Soft: <= 2 }), $"Device {number}: {fleet[number].Server}");
        }
    }

    [SharedTheory]
    [InlineData("crash", 0)]
    [InlineData("crash", 1)]
    [InlineData("restart", 0)]
    [InlineData("restart", 1)]
    [InlineData("restart", 2)]
    public void Who_lies_and_has_lost_the_session_when_it_is_asked_about_it_is_excluded_all_the_same(string behaviour, int hop)
    {
        var liar = hop * AttackedFleet.PerHop;
        using var fleet = new AttackedFleet(AttackedFleet.Only(liar, behaviour), Seed);
        fleet.RunUntilExcluded(liar, mostSessions: 5);
        fleet.OthersAreUntouched(liar);
    }

    [SharedTheory]
    [InlineData("refuse-opening")]
    [InlineData("slow-opening")]
    public void Who_is_honest_and_opens_nothing_cannot_stop_an_answer(string behaviour)
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(4, behaviour), Seed);
        for (var sessions = 0; sessions < 5; sessions++)
        {
            var (session, _) = fleet.Run(4, isStrict: sessions % 2 == 0);
            Assert.Equal(fleet.Honest, session.Tokens);
            Assert.IsType<GenerationFinished>(session.Told[^1]);
        }

        Assert.Equal(0, fleet[4].Server.Hard);
        Assert.Equal(behaviour == "slow-opening", fleet[4].Server.Soft > 0);
        fleet.OthersAreUntouched(4);
    }

    [SharedTheory]
    [InlineData("sleeper=100")]
    [InlineData("sleeper=900")]
    public void A_sleeper_in_probation_is_no_cheaper_than_a_fool(string behaviour)
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(4, behaviour), Seed);
        var honest = int.Parse(behaviour.Split('=')[1]);
        var delivered = fleet.RunUntilExcluded(4, mostSessions: 20);

        // A unit in which it begins, the steps of the prompt's chunk before it, and two more.
        Assert.InRange(delivered, honest, honest + fleet.Positions + 48);
        fleet.OthersAreUntouched(4);
    }

    [SharedFact]
    public void Who_lies_at_late_positions_alone_is_excluded_when_it_has_got_there_three_times()
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(4, "late-positions=40"), Seed);
        Assert.Equal(3 * 48, fleet.RunUntilExcluded(4, mostSessions: 3));
        fleet.OthersAreUntouched(4);
    }

    [SharedFact]
    public void Who_is_honest_whenever_something_speaks_against_it_is_excluded_by_the_fifth_lie()
    {
        // What a pass takes off is greater than by default, so that it dares again soon. Out of probation some of it may be told.
        using var fleet = new AttackedFleet(AttackedFleet.Only(4, "cautious"), Seed, new TrustSettings { PassStep = -1 });
        fleet.RunUntilExcluded(4, mostSessions: 60, isTold: true);
        Assert.Equal((5L, 0L), (fleet[4].Server.Hard, fleet[4].Server.Soft));
        fleet.OthersAreUntouched(4);
    }

    [SharedTheory]
    [InlineData("bit-flip:0.05")]
    [InlineData("bit-flip:0.2")]
    [InlineData("sign-flip:0.05")]
    [InlineData("noise:0.2")]
    public void Who_cheats_now_and_then_in_probation_is_found_each_time_and_nothing_of_it_is_told(string behaviour)
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(4, behaviour), Seed);
        fleet.RunUntilExcluded(4, mostSessions: 30);
        fleet.OthersAreUntouched(4);
    }

    [SharedTheory]
    [InlineData(1, "slander")]
    [InlineData(2, "slander")]
    [InlineData(4, "slander")]
    [InlineData(4, "lazy-verifier")]
    public void Slanderers_take_no_honest_device_with_them(int slanderers, string behaviour)
    {
        // Of four that hold the same two lie in the worst case, together: a third of all.
        int[] places = [5, 6, 1, 9];
        var liars = places.Take(slanderers).ToHashSet();
        using var fleet = new AttackedFleet([.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => liars.Contains(number) ? behaviour : null)], Seed);
        for (var sessions = 0; sessions < 12; sessions++)
        {
            var (session, _) = fleet.Run(4);
            Assert.Equal(fleet.Honest, session.Tokens);
        }

        for (var number = 0; number < AttackedFleet.Devices; number++)
        {
            Assert.Equal((0L, 0L), (fleet[number].Server.Hard, fleet[number].Server.Soft));
            Assert.True(liars.Contains(number) || fleet[number].Verifier is { Hard: 0, Soft: 0 }, $"Device {number}: {fleet[number].Verifier}");
        }

        Assert.Contains(liars, number => fleet[number].Verifier.Hard > 0);
    }

    [SharedFact]
    public void A_liar_whose_friends_check_it_is_excluded_by_the_judge()
    {
        // A server and two of the three that could check it: they find wrong what others do, and nothing of its.
        using var fleet = new AttackedFleet([null, null, null, null, "sign-flip", "slander", "slander", null, null, null, null, null], Seed);
        fleet.RunUntilExcluded(4, mostSessions: 8);
        fleet.OthersAreUntouched(4, 5, 6);
    }
}
