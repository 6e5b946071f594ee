using EFedLLM.Actors.Layers;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>Tables of what a device of 100 bytes does. A range is written <c>model:first-end bytes state</c>.</summary>
public sealed class HoldingPlannerTests
{
    [Theory]
    [InlineData("what is wanted is loaded", "", "a:0-3 60", "", "Load a:0-3")]
    [InlineData("what is there stays", "a:0-3 60 Serving", "a:0-3 60", "", "")]
    [InlineData("the new comes before the old goes", "a:0-3 40 Serving", "a:1-4 60", "", "Load a:1-4")]
    [InlineData("the old waits for the new", "a:0-3 40 Serving, a:1-4 60 Loading", "a:1-4 60", "", "")]
    [InlineData("the old goes when the new serves", "a:0-3 40 Serving, a:1-4 60 Serving", "a:1-4 60", "", "Drain a:0-3")]
    [InlineData("the old stays while the cluster needs it", "a:0-3 40 Serving, a:1-4 60 Serving", "a:1-4 60", "a:0-3", "")]
    [InlineData("without room the old goes first", "a:0-3 60 Serving", "a:1-4 60", "a:0-3", "Drain a:0-3")]
    [InlineData("nothing is loaded into memory that is not free yet", "a:0-3 60 Draining", "a:1-4 60", "", "")]
    [InlineData("memory of what ends is not free yet", "a:0-3 60 Ending", "a:1-4 60", "", "")]
    [InlineData("what never fits is refused, and nothing goes for it", "a:0-3 60 Serving", "a:1-4 101", "", "Drain a:0-3, Refuse a:1-4")]
    [InlineData("two models that do not fit together: the first wins", "", "a:0-3 60, b:0-3 60", "", "Load a:0-3, Refuse b:0-3")]
    [InlineData("a model without a plan stays", "b:0-3 40 Serving", "a:0-3 60", "", "Load a:0-3")]
    [InlineData("a model without a plan goes when room is needed", "b:0-3 50 Serving", "a:0-3 60", "", "Drain b:0-3")]
    [InlineData("what is wanted again is not thrown out", "a:0-3 60 Draining", "a:0-3 60", "", "Resume a:0-3")]
    [InlineData("what is to take less memory goes before it is loaded again", "a:0-3 60 Serving", "a:0-3 40, b:0-3 50", "a:0-3", "Drain a:0-3")]
    [InlineData("it is not loaded again while it is going", "a:0-3 60 Draining", "a:0-3 40", "", "")]
    [InlineData("what takes less memory than it may stays", "a:0-3 40 Serving", "a:0-3 60", "", "")]
    public void A_device_comes_from_what_it_holds_to_what_is_wanted(string rule, string holds, string wants, string needed, string expected)
    {
        Assert.NotNull(rule);
        var holdings = Split(holds).Select(text => text.Split(' ')).Select(parts => (Key: Key(parts[0]), Parts: parts))
            .Select(held => new Holding(held.Key.Model, held.Key.Range, long.Parse(held.Parts[1]), Enum.Parse<HoldingState>(held.Parts[2]))).ToArray();
        var wanted = Split(wants).Select(text => text.Split(' ')).Select(parts => new WantedRange(Key(parts[0]).Model, Key(parts[0]).Range, long.Parse(parts[1]))).ToArray();
        var actions = HoldingPlanner.Decide(
            holdings, wanted, wanted.Select(want => want.Model).ToHashSet(), 100, holding => Name(holding.Model, holding.Range) == needed);
        Assert.Equal(Split(expected).Order(), actions.Select(action => $"{action.Step} {Name(action.Model, action.Range)}").Order());
        Assert.All(actions, action => Assert.Equal(action.Step == HoldingStep.Refuse, action.Reason.Length > 0));
        Assert.InRange(holdings.Sum(holding => holding.Bytes) + actions.Where(action => action.Step == HoldingStep.Load).Sum(action => action.Bytes), 0, 100);
    }

    private static string[] Split(string list) => list.Split(", ", StringSplitOptions.RemoveEmptyEntries);

    private static (ModelId Model, LayerRange Range) Key(string text)
    {
        var parts = text.Split(':', '-');
        return (new ModelId(new string(parts[0][0], 64)), new LayerRange(int.Parse(parts[1]), int.Parse(parts[2])));
    }

    private static string Name(ModelId model, LayerRange range) => $"{model.Value[0]}:{range.First}-{range.End}";
}
