using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>Verifiers that do not do their work, alone or together. What each test bounds is said beside it; the seeds are fixed.</summary>
public sealed class VerifierTests(ITestOutputHelper output)
{
    private const int Seed = 3;
    private const int Server = 4;

    /// <summary>Each answer is under a key of its own: what another one answered about the same unit is another number.</summary>
    [SharedFact]
    public void Who_copies_what_another_verifier_answered_is_named_and_checks_nobody_from_then_on()
    {
        const int Copier = 6;
        var heard = new Overheard();
        using var fleet = new AttackedFleet([.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => number switch { Copier => new Saboteur("copier", new Copies(heard)), 5 or 7 => new Saboteur("careless", new Tells(heard)), _ => null })], Seed);
        while (fleet.Sessions == 0 || fleet[Copier].Verifier.Hard == 0)
        {
            Assert.Equal(fleet.Honest, fleet.Run(Server).Session.Tokens);
            Assert.True(fleet.Sessions < 20, $"{fleet[Copier].Verifier}");
        }

        for (var sessions = 0; sessions < 5; sessions++)
        {
            Assert.DoesNotContain(fleet.Run(Server).Session.Checks, check => check.Facts.Verifier == fleet[Copier].Device || check.Device == fleet[Copier].Device);
        }

        fleet.OthersAreUntouched(Copier);
    }

    /// <summary>A verdict that nobody gives is given by the gateway's own judge; a liar is excluded by it as soon as by any other. Whoever withholds it has a soft failure for each session in which he did, and no more.</summary>
    [SharedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Verdicts_that_all_who_could_check_withhold_stop_no_answer_and_save_no_liar(bool serverLies)
    {
        using var fleet = new AttackedFleet([.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => number is 5 or 6 or 7 ? "withhold-verdict" : number == Server && serverLies ? "sign-flip" : null)], Seed);
        if (serverLies)
        {
            Assert.Equal(3 * UnitCut.Rows, fleet.RunUntilExcluded(Server, mostSessions: 3));
        }
        else
        {
            var (session, _) = fleet.Run(Server);
            Assert.Equal(fleet.Honest, session.Tokens);
            Assert.IsType<GenerationFinished>(session.Told[^1]);
            Assert.Equal(fleet.Positions, fleet[Server].Server.PassedTokens);
        }

        foreach (var withholder in new[] { 5, 6, 7 })
        {
            var state = fleet[withholder];
            Assert.InRange(state.Verifier.Soft, 1, fleet.Sessions);
            Assert.Equal((0, 0, 0), (state.Verifier.Hard, state.Server.Hard, state.Server.Soft));
        }

        fleet.OthersAreUntouched(Server, 5, 6, 7);
    }

    /// <summary>Three of the four that hold the same compute the same wrong thing, so each finds the others right: whoever serves first of them is excluded within 25 sessions by the one that is honest and by what is planted.</summary>
    [SharedTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_ring_of_servers_and_verifiers_is_found_by_the_one_beside_it_and_by_what_the_gateway_looks_at(int seed)
    {
        int[] ring = [4, 5, 6];
        using var fleet = new AttackedFleet([.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => ring.Contains(number) ? "skip-ffn" : null)], seed);
        var delivered = fleet.RunUntilExcluded(Server, mostSessions: 25, isTold: true);
        output.WriteLine($"seed {seed}: excluded after {delivered} tokens; {fleet.WrongAnswers} of {fleet.Sessions} answers were wrong");
        fleet.OthersAreUntouched(ring);
    }

    private sealed class Overheard
    {
        public Digest Answer { get; set; }
    }

    /// <summary>Honest, and others hear what it answers.</summary>
    private sealed class Tells(Overheard heard) : IHopBehavior
    {
        public Digest Answer(Digest answer, Random random) => heard.Answer = answer;
    }

    /// <summary>Answers what somebody answered last.</summary>
    private sealed class Copies(Overheard heard) : IHopBehavior
    {
        public Digest Answer(Digest answer, Random random) => heard.Answer;
    }
}
