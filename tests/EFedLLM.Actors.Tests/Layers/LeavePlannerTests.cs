using EFedLLM.Actors.Layers;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>Tables of what a device that leaves does after some of its ten seconds of patience. A model is written <c>name state</c>.</summary>
public sealed class LeavePlannerTests
{
    [Theory]
    [InlineData("nothing that anybody needs", "a Unneeded", 0, true, "nobody needs")]
    [InlineData("the others hold everything", "a Loaded, b Unneeded", 0, true, "the others hold its layers of a now")]
    [InlineData("the plan has not changed yet", "a Unplanned", 0, false, "the others load its layers of a first, for up to 10 s")]
    [InlineData("the others load", "a Loading, b Loaded", 9, false, "the others load its layers of a first")]
    [InlineData("nobody can, but somebody may come", "a Impossible", 9, false, "nobody else can take over a; waiting up to 10 s")]
    [InlineData("one cannot, another loads", "a Loading, b Impossible", 5, false, "nobody else can take over b; waiting")]
    [InlineData("the others were too slow", "a Loading, b Loaded", 10, true, "the others have not taken over a within 10 s")]
    [InlineData("there is no planner", "a Unplanned", 11, true, "the others have not taken over a within 10 s")]
    [InlineData("nobody came", "a Impossible", 10, true, "nobody else can take over a: it cannot be asked from now on. memory is lacking")]
    public void A_device_that_leaves_gives_up_when_the_others_hold_its_layers_or_its_patience_is_over(string rule, string models, int seconds, bool mayGiveUp, string words)
    {
        Assert.NotNull(rule);
        var covers = models.Split(", ").Select(text => text.Split(' ')).Select(parts => (Name: parts[0], State: Enum.Parse<CoverState>(parts[1])))
            .Select(cover => new ModelCover(cover.Name, cover.State, cover.State == CoverState.Impossible ? "memory is lacking" : null)).ToArray();
        var decision = LeavePlanner.Decide(covers, TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(10));
        Assert.Equal(mayGiveUp, decision.MayGiveUp);
        Assert.StartsWith(words, decision.Words, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_patience_it_gives_up_at_once() =>
        Assert.True(LeavePlanner.Decide([new ModelCover("a", CoverState.Unplanned)], TimeSpan.Zero, TimeSpan.Zero).MayGiveUp);
}
