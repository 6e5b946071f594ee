using EFedLLM.Actors.Tests.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>Keys without end, one key for two machines, and what becomes of verdicts where the network is in two parts. What each test bounds is said beside it; the seeds are fixed.</summary>
public sealed class IdentityTests(ITestOutputHelper output)
{
    private const int Seed = 3;
    private const int Liar = 4;
    private const int OneUnit = UnitCut.Rows;

    /// <summary>Each key is good for three units, of which nothing is told and nothing earned: 960 tokens in all.</summary>
    [SharedFact]
    public void Whoever_returns_twenty_times_under_new_keys_delivers_three_units_each_time_and_earns_nothing()
    {
        const int Keys = 20;
        using var fleet = new AttackedFleet(AttackedFleet.Only(Liar, "sign-flip"), Seed);
        var delivered = 0;
        for (var key = 0; key < Keys; key++)
        {
            fleet.TakeKey(Liar, key == 0 ? Liar : 100 + key);
            delivered += fleet.RunUntilExcluded(Liar, fleet.Sessions + 4);
            var account = fleet[Liar].History.Now.Account;
            Assert.Equal((0.0, 0.0, 0.0), (fleet[Liar].Reward, account.Credit, account.Escrow));
        }

        output.WriteLine($"{Keys} keys: {delivered} tokens, none of them told, nothing earned");
        Assert.Equal(Keys * 3 * OneUnit, delivered);
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>
    /// A hundred newcomers of one owner hold what four others hold, compute the same wrong thing and so find one another right. Where the others
    /// are no newcomers any more, those check: each that serves is excluded after three units, and nothing of it is told.
    /// </summary>
    [SharedFact]
    public void A_hundred_sybils_check_nobody_where_three_others_are_proven_and_each_that_serves_is_excluded_after_three_units()
    {
        const int Sybils = 100;
        var lie = Saboteur.Parse("skip-ffn");
        using var fleet = new AttackedFleet([.. new Saboteur?[AttackedFleet.Devices], .. Enumerable.Repeat(lie, Sybils)], Seed, passed: number => number < AttackedFleet.Devices ? 4096 : 0);
        int[] sybils = [.. Enumerable.Range(AttackedFleet.Devices, Sybils)];
        foreach (var sybil in sybils[..8])
        {
            Assert.Equal(3 * OneUnit, fleet.RunUntilExcluded(sybil, fleet.Sessions + 4));
        }

        Assert.Equal(0, fleet.WrongAnswers);
        Assert.All(sybils, sybil => Assert.Equal((0.0, 0L), (fleet[sybil].Reward, fleet[sybil].Verifier.Passed)));
        fleet.OthersAreUntouched(sybils);
    }

    /// <summary>The units of both machines count for the one key: three of them together, and neither gets work again.</summary>
    [SharedFact]
    public void One_key_on_two_machines_has_one_standing_and_neither_checks_the_other()
    {
        const int Twin = 5;
        using var fleet = new AttackedFleet([.. Enumerable.Range(0, AttackedFleet.Devices).Select(number => number is Liar or Twin ? "sign-flip" : null)], Seed);
        fleet.TakeKey(Twin, Liar);
        var delivered = 0;
        foreach (var machine in (int[])[Liar, Twin, Liar])
        {
            var (session, more) = fleet.Run(machine);
            delivered += more;
            Assert.Equal(fleet.Honest, session.Tokens);
            Assert.DoesNotContain(session.Checks, check => check.Device == check.Facts.Verifier);
        }

        Assert.Equal((3 * OneUnit, TrustTier.Excluded, TrustTier.Excluded), (delivered, fleet.Tier(Liar), fleet.Tier(Twin)));
        foreach (var machine in (int[])[Liar, Twin])
        {
            fleet.Run(machine);
            Assert.False(fleet.HasServed(Liar) || fleet.HasServed(Twin));
        }

        fleet.OthersAreUntouched(Liar, Twin);
    }

    /// <summary>Whom the ledger excluded before a partition gets nothing on either side of it, and under a new key nothing where no ledger answers.</summary>
    [SharedFact]
    public void An_excluded_device_gets_nothing_during_a_partition()
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(Liar, "sign-flip"), Seed, passed: 16);
        fleet.RunUntilExcluded(Liar, mostSessions: 3);
        fleet.Run(Liar);
        fleet.Cut();
        foreach (var isBeyond in (bool[])[true, false, true])
        {
            var (session, _) = fleet.Run(Liar, isBeyond: isBeyond);
            Assert.Equal(fleet.Honest, session.Tokens);
            Assert.False(fleet.HasServed(Liar));
        }

        fleet.TakeKey(Liar, 100);
        var (answer, _) = fleet.Run(Liar, isBeyond: true);
        Assert.Equal(fleet.Honest, answer.Tokens);
        Assert.False(fleet.HasServed(Liar));
        fleet.OthersAreUntouched(Liar);
    }

    /// <summary>Two units that one side found and one that the other did are three, each counted once though it is reported twice; then neither side gives it anything.</summary>
    [SharedFact]
    public void What_both_sides_of_a_partition_find_counts_once_and_together()
    {
        using var fleet = new AttackedFleet(AttackedFleet.Only(Liar, "sign-flip"), Seed, passed: 16);
        fleet.Run(0);
        fleet.Cut();
        foreach (var isBeyond in (bool[])[true, false, true])
        {
            var (session, delivered) = fleet.Run(Liar, isBeyond: isBeyond);
            Assert.Equal(fleet.Honest, session.Tokens);
            Assert.Equal(OneUnit, delivered);
            Assert.NotEqual(TrustTier.Excluded, fleet.Tier(Liar));
        }

        fleet.Heal();
        Assert.Equal((3L, 0L, TrustTier.Excluded), (fleet[Liar].Server.Hard, fleet[Liar].Server.Soft, fleet.Tier(Liar)));
        Assert.Equal(fleet.Honest, fleet.Run(Liar).Session.Tokens);
        Assert.False(fleet.HasServed(Liar));
        fleet.OthersAreUntouched(Liar);
    }
}
