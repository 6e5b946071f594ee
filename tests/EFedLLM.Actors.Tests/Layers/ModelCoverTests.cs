using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>Tables of who takes over from device 1 of a model of units 0 to 5. A range is written <c>device:first-end</c>; a device that leaves too has a minus.</summary>
public sealed class ModelCoverTests
{
    private static readonly ServedModel Model = Facts.Model('a', "tiny", 4);

    [Theory]
    [InlineData("the plan still counts on it", "1:0-3 2:3-6", "1:0-3 2:3-6", "Unplanned")]
    [InlineData("the others have not begun", "1:0-3 2:3-6", "2:0-6", "Loading")]
    [InlineData("the others are ready", "1:0-3 2:0-6", "2:0-6", "Loaded")]
    [InlineData("one of two is ready", "1:0-3 2:0-3", "2:0-3 3:3-6", "Loading")]
    [InlineData("both are", "1:0-3 2:0-3 3:3-6", "2:0-3 3:3-6", "Loaded")]
    [InlineData("what goes with the old plan is no cover", "1:0-3 2:0-6 3:0-3", "3:0-6", "Loading")]
    [InlineData("whoever leaves too is no cover", "1:0-3 -2:0-6", "2:0-6", "Loading")]
    [InlineData("nobody can", "1:0-3 2:3-6", "problem 2:3-6", "Impossible")]
    public void What_the_others_hold_is_told_from_the_view(string rule, string loaded, string planned, string expected)
    {
        Assert.NotNull(rule);
        var problem = planned.StartsWith("problem ", StringComparison.Ordinal) ? "memory is lacking" : null;
        var plan = new PlacementPlan(Model.Model, 2, [.. Entries(planned.Replace("problem ", "", StringComparison.Ordinal)).Select(entry => new Assignment(entry.Device, entry.Range, "a test"))], problem);
        var cover = ModelCover.Of(View(loaded) with { Plans = [plan] }, Id('1'), Model.Model);
        Assert.Equal((expected, problem, "tiny"), (cover.State.ToString(), cover.Problem, cover.Name));
    }

    [Fact]
    public void A_model_without_a_plan_waits_for_one_and_one_that_nobody_asks_for_does_not()
    {
        Assert.Equal(CoverState.Unplanned, ModelCover.Of(View("1:0-6"), Id('1'), Model.Model).State);
        Assert.Equal(CoverState.Unneeded, ModelCover.Of(View("1:0-6") with { Models = [] }, Id('1'), Model.Model).State);
    }

    private static DeviceId Id(char digit) => new(new string(digit, 32));

    private static Address Node(char digit) => new("akka.tcp", "efedllm", "127.0.0.1", digit);

    private static IEnumerable<(DeviceId Device, LayerRange Range, bool Leaving)> Entries(string text) => text.Split(' ').Select(entry =>
    {
        var parts = entry.TrimStart('-').Split(':', '-');
        return (Id(parts[0][0]), new LayerRange(int.Parse(parts[1]), int.Parse(parts[2])), entry[0] == '-');
    });

    private static ClusterView View(string loaded) => ClusterView.Empty(Node('0')) with
    {
        Models = [Model],
        Devices = [.. Entries(loaded).Select(entry => Facts.Device(entry.Device.Value[0], Node(entry.Device.Value[0])) with
        {
            Leaving = entry.Leaving,
            Loaded = [new LoadedRange(Model.Model, entry.Range, ActorRefs.Nobody, 1)],
        })],
        Members = [.. "123".Select(digit => new NodeView(Node(digit), ["device"], MemberStatus.Up, true, "1"))],
    };
}
