using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using static EFedLLM.Actors.Tests.Trust.TrustSamples;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class VerifierDrawTests
{
    private static readonly TrustSettings Settings = new();
    private static readonly CheckedDevice Subject = new(Device(1), "anna", new LayerRange(2, 5));

    public static TheoryData<string, VerifierCandidate, bool> Candidates() => new()
    {
        { "another's, the same range", Candidate(2), true },
        { "another's, a wider range", Candidate(2) with { Held = new LayerRange(0, 9) }, true },
        { "in probation", Candidate(2) with { Tier = TrustTier.Probation }, true },
        { "a junior", Candidate(2) with { Tier = TrustTier.Junior }, true },
        { "of nobody known", Candidate(2) with { Owner = null }, true },
        { "of an owner whose name differs in its case", Candidate(2) with { Owner = "Anna" }, true },
        { "the device itself", Candidate(1), false },
        { "of the same owner", Candidate(2) with { Owner = "anna" }, false },
        { "in quarantine", Candidate(2) with { Tier = TrustTier.Quarantined }, false },
        { "excluded", Candidate(2) with { Tier = TrustTier.Excluded }, false },
        { "of no standing at all", Candidate(2) with { Tier = 0 }, false },
        { "without the first unit", Candidate(2) with { Held = new LayerRange(3, 9) }, false },
        { "without the last unit", Candidate(2) with { Held = new LayerRange(0, 4) }, false },
        { "with nothing", Candidate(2) with { Held = default }, false },
    };

    [Theory]
    [MemberData(nameof(Candidates))]
    public void Only_who_is_fit_is_drawn(string who, VerifierCandidate candidate, bool isFit)
    {
        Assert.True(VerifierDraw.Choose(Digest(1), Subject, [candidate], [], Settings) == (isFit ? new DrawnVerifier(candidate.Device, false) : null), who);
    }

    [Fact]
    public void Devices_whose_owners_nobody_names_are_not_one_owners()
        => Assert.NotNull(VerifierDraw.Choose(Digest(1), Subject with { Owner = null }, [Candidate(2) with { Owner = null }], [], Settings));

    [Fact]
    public void Nobody_is_drawn_where_there_is_nobody() => Assert.Null(VerifierDraw.Choose(Digest(1), Subject, [], [Device(2)], Settings));

    [Fact]
    public void Who_checked_one_of_the_latest_units_does_it_again_only_when_nobody_else_can_and_then_it_is_said()
    {
        var candidates = Enumerable.Range(2, 9).Select(Candidate).ToArray();
        var latest = Enumerable.Range(2, 8).Select(Device).ToArray();
        Assert.All(Enumerable.Range(0, 200), i => Assert.Equal(new DrawnVerifier(Device(10), false), VerifierDraw.Choose(Digest(i), Subject, candidates, latest, Settings)));

        var repeated = Enumerable.Range(0, 200).Select(i => VerifierDraw.Choose(Digest(i), Subject, candidates[..8], latest, Settings)!.Value).ToArray();
        Assert.All(repeated, drawn => Assert.True(drawn.IsRepeated));
        Assert.Equal(8, repeated.Distinct().Count());
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Where_enough_have_proven_themselves_no_newcomer_is_drawn(int proven, bool isNewcomerDrawn)
    {
        var candidates = Enumerable.Range(2, 100).Select(number => Candidate(number) with { IsProven = number < 2 + proven }).ToArray();
        var drawn = Enumerable.Range(0, 300).Select(i => VerifierDraw.Choose(Digest(i), Subject, candidates, [Device(2)], Settings)!.Value.Device).ToHashSet();
        Assert.Equal(isNewcomerDrawn, drawn.Overlaps(candidates[proven..].Select(candidate => candidate.Device)));

        // The gap counts among them too, and one that proved itself and lied since is none of them.
        Assert.DoesNotContain(Device(2), drawn);
        candidates[0] = candidates[0] with { Tier = TrustTier.Excluded };
        var newcomers = candidates[proven..].Select(candidate => candidate.Device).ToHashSet();
        Assert.Contains(Enumerable.Range(0, 300), i => newcomers.Contains(VerifierDraw.Choose(Digest(i), Subject, candidates, [], Settings)!.Value.Device));
    }

    [Fact]
    public void What_is_longer_ago_than_the_gap_does_not_count()
    {
        DeviceId[] latest = [Device(2), .. Enumerable.Range(20, 8).Select(Device)];
        Assert.Equal(new DrawnVerifier(Device(2), false), VerifierDraw.Choose(Digest(1), Subject, [Candidate(2)], latest, Settings));
        Assert.Equal(new DrawnVerifier(Device(2), true), VerifierDraw.Choose(Digest(1), Subject, [Candidate(2)], latest[..^1], Settings));
        Assert.Equal(new DrawnVerifier(Device(2), false), VerifierDraw.Choose(Digest(1), Subject, [Candidate(2)], [Device(2)], Settings with { VerifierGap = 0 }));
    }

    /// <summary>The order in which candidates are known, and what unfit ones there are beside them, change nothing.</summary>
    [Fact]
    public void Anybody_can_repeat_a_draw()
        => Gen.Select(Gen.Int[1, 40], Gen.Int, Gen.Int).Sample(
            (count, seed, order) =>
            {
                var candidates = Enumerable.Range(2, count).Select(Candidate).ToArray();
                var others = candidates.Append(Candidate(1)).Append(Candidate(500) with { Owner = "anna" }).Append(candidates[0]).ToArray();
                new Random(order).Shuffle(others);
                var drawn = VerifierDraw.Choose(Digest(seed), Subject, candidates, [], Settings);
                Assert.NotNull(drawn);
                Assert.Equal(drawn, VerifierDraw.Choose(Digest(seed), Subject, others, [], Settings));
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void Everybody_is_drawn_as_often_as_the_others()
        => Gen.Select(Gen.Int[1, 12], Gen.Int[0, 1_000_000]).Sample(
            (count, seed) =>
            {
                const int Draws = 4000;
                var candidates = Enumerable.Range(2, count).Select(Candidate).ToArray();
                var drawn = Enumerable.Range(seed, Draws).Select(i => VerifierDraw.Choose(Digest(i), Subject, candidates, [], Settings)!.Value.Device).CountBy(device => device).ToDictionary();
                Assert.All(candidates, candidate => IsBinomial(drawn[candidate.Device], Draws, 1.0 / count));
            },
            iter: 20,
            threads: 1);

    private static VerifierCandidate Candidate(int number) => new(Device(number), null, new LayerRange(2, 5), TrustTier.Full);
}
