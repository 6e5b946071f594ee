using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>Devices that compute rightly and send their gateway something else than they should. What each test bounds is said beside it; the seeds are fixed.</summary>
public sealed class ReceiptAttackTests
{
    private const int Seed = 3;
    private const int Liar = 4;

    /// <summary>
    /// A receipt stands for one unit of one session of one device: no other one's signature fits it. That is a soft failure, as nobody but the
    /// gateway saw it, so the fourth excludes, or the fifth where something passed in between.
    /// </summary>
    [SharedTheory]
    [InlineData("of an earlier session")]
    [InlineData("of an earlier unit")]
    [InlineData("of another device")]
    [InlineData("with another output")]
    [InlineData("without a signature")]
    public void Who_sends_a_receipt_that_is_not_of_its_unit_is_excluded_by_the_fifth(string what)
    {
        var (earlier, neighbour, first) = (new Dictionary<int, UnitSigned>(), new Dictionary<int, UnitSigned>(), default(UnitSigned));
        using var fleet = new AttackedFleet(new string?[AttackedFleet.Devices], Seed);
        fleet.Tampers = (number, message) =>
        {
            if (message is not UnitSigned signed || number / AttackedFleet.PerHop > 1)
            {
                return [message];
            }

            if (number != Liar)
            {
                neighbour[signed.Position] = signed;
                return [message];
            }

            var isKnown = earlier.TryGetValue(signed.Position, out var before);
            earlier.TryAdd(signed.Position, signed);
            first = signed.Position == 0 ? signed : first;
            return [what switch
            {
                "of an earlier session" => isKnown ? before! with { Session = signed.Session, Epoch = signed.Epoch } : signed,
                "of an earlier unit" => signed.Position > 0 && first is { } unit ? unit with { Position = signed.Position } : signed,
                "of another device" => neighbour.TryGetValue(signed.Position, out var other) ? other with { Session = signed.Session, Epoch = signed.Epoch, HopIndex = signed.HopIndex } : signed,
                "with another output" => signed with { OutRoot = signed.InRoot },
                _ => signed with { Signature = [.. new byte[signed.Signature.Length]] },
            }];
        };
        fleet.RunUntilExcluded(Liar, mostSessions: 7);
        Assert.Equal(0, fleet[Liar].Server.Hard);
        Assert.InRange(fleet[Liar].Server.Soft, 4, 5);
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>Who signs nothing is used no more in that session, and no answer waits for it for ever.</summary>
    [SharedFact]
    public void Who_keeps_its_receipts_to_itself_cannot_stop_an_answer()
    {
        using var fleet = new AttackedFleet(new string?[AttackedFleet.Devices], Seed)
        {
            Tampers = (number, message) => number == Liar && message is UnitSigned ? [] : [message],
        };
        var (session, _) = fleet.Run(Liar);
        Assert.Equal(fleet.Honest, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>Whether it refuses what it was sent or lies about it cannot be told from outside, so both are in doubt; but it is in every such pair, and excluded first.</summary>
    [SharedFact]
    public void Who_blames_the_hop_before_it_is_in_every_pair_and_is_excluded_before_anybody_else()
    {
        using var fleet = new AttackedFleet(new string?[AttackedFleet.Devices], Seed)
        {
            Tampers = (number, message) => number == Liar && message is UnitSigned { Position: 0 } signed
                ? [new StepFailed(signed.Session, signed.Epoch, signed.HopIndex, "a value is not finite", 3)]
                : [message],
        };
        fleet.RunUntilExcluded(Liar, mostSessions: 6);
        for (var number = 0; number < AttackedFleet.Devices; number++)
        {
            Assert.True(number == Liar || (fleet.Tier(number) != TrustTier.Excluded && fleet[number].Server is { Hard: 0, Soft: <= 2 }), $"Device {number}: {fleet[number].Server}");
        }
    }
}
