using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Tests.Api;

public class LedgerFactsBuilderTests
{
    private static readonly DeviceId Device = new(new string('d', 32));
    private static readonly DeviceId Checker = new(new string('c', 32));
    private static readonly DateTimeOffset At = new(2030, 5, 6, 7, 8, 9, TimeSpan.Zero);

    [Fact]
    public void A_device_that_was_never_checked_has_no_standing_in_either_role()
    {
        var facts = LedgerFactsBuilder.Build(Record());
        Assert.Equal((null, null), (facts.Server, facts.Verifier));
        Assert.Null(Assert.Single(facts.Recent).Check);
        Assert.DoesNotContain("server", JsonSerializer.Serialize(facts, ApiJson.Default.LedgerDevice), StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_checked_by_whom_and_what_it_showed_is_told_in_whole()
    {
        var check = new CheckFacts(TrustRole.Server, CheckOutcome.Hard, 32, Checker, new Digest(1, 2, 3, 4), new Digest(9, 2, 3, 4), default, "another root");
        var record = Record(new LedgerEntry(new SessionId(Guid.Empty), WorkOutcome.Checked, 16, new LayerRange(2, 5), At, check) { Verdict = new VerdictId("00000000ab"), Struck = "a test", Reporter = Checker }) with
        {
            Server = new RoleStanding { Score = 20.7, Passed = 7, Soft = 1, Hard = 3, PassedTokens = 112, ExcludedAt = At, Exclusion = new Exclusion(false, At.AddDays(30), 9.21, 4096), Bans = 1 },
            ServerTier = TrustTier.Excluded,
            Vested = 0.5,
            Escrow = 0.2,
            Unvested = 0.1,
            Slashed = 3,
        };
        var facts = LedgerFactsBuilder.Build(record);
        Assert.Equal((new StandingFacts("excluded", 20.7, 7, 1, 3, 112, At, At.AddDays(30), "malicious", 1), null), (facts.Server, facts.Verifier));
        Assert.Equal((0.5, 0.2, 0.1, 3.0), (facts.Vested, facts.Escrow, facts.Unvested, facts.Slashed));
        Assert.Equal(
            new LedgerLine(new string('0', 32), "checked", 16, 2, 5, At, new CheckLine(
                "server", "hard", 32, Checker.Value, $"{new Digest(1, 2, 3, 4)}", $"{new Digest(9, 2, 3, 4)}", null, "another root"), "00000000ab", "a test", Checker.Value),
            facts.Recent[0]);
    }

    [Fact]
    public void What_nobody_recomputed_names_nobody()
    {
        var check = new CheckFacts(TrustRole.Verifier, CheckOutcome.Soft, 0, default, default, default, default, "too late");
        var facts = LedgerFactsBuilder.Build(Record(new LedgerEntry(new SessionId(Guid.Empty), WorkOutcome.Checked, 16, new LayerRange(2, 5), At, check)));
        Assert.Equal(new CheckLine("verifier", "soft", 0, null, null, null, null, "too late"), facts.Recent[0].Check);
    }

    [Theory]
    [InlineData(TrustTier.Probation, "probation")]
    [InlineData(TrustTier.Junior, "junior")]
    [InlineData(TrustTier.Full, "full")]
    [InlineData(TrustTier.Quarantined, "quarantined")]
    [InlineData(TrustTier.Excluded, "excluded")]
    public void Each_standing_has_a_word(TrustTier tier, string word) => Assert.Equal(word, LedgerFactsBuilder.Standing(tier));

    private static DeviceRecord Record(params LedgerEntry[] entries) => new(
        Device, At, At, 1, 16, 48, 0, 0, 0.8, 0, [.. entries, new LedgerEntry(new SessionId(Guid.Empty), WorkOutcome.Served, 16, new LayerRange(2, 5), At)]);
}
