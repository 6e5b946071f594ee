using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class PlacementPreviewTests
{
    private static readonly ServedModel Model = Facts.Model('1', "mini", 6);

    [Fact]
    public void Without_changes_the_next_plan_is_the_one_there_is()
    {
        var view = Planned(View("abcd"));
        Assert.Same(view.Plans[0], Assert.Single(PlacementPreview.Next(view, 0.25, new HashSet<DeviceId>(), [])));
    }

    [Fact]
    public void A_device_that_would_be_gone_gets_nothing_and_one_that_would_come_gets_its_part()
    {
        var view = Planned(View("abcd"));
        var gone = view.Devices[0].Device;
        var plan = Assert.Single(PlacementPreview.Next(view, 0.25, new HashSet<DeviceId> { gone }, [new AddedDevice(1 << 20, 0)]));
        Assert.Equal(view.Plans[0].Version + 1, plan.Version);
        Assert.DoesNotContain(plan.Assignments, assignment => assignment.Device == gone);
        Assert.Contains(plan.Assignments, assignment => assignment.Device == PlacementPreview.AddedId(0));
        PlacementPlannerTests.AssertCovers(Model, plan);
    }

    [Fact]
    public void A_device_that_does_not_answer_counts_as_gone()
    {
        var view = Planned(View("abcd"));
        var silent = view with { Members = view.Members.SetItem(1, view.Members[1] with { Reachable = false }) };
        Assert.DoesNotContain(PlacementPreview.Next(silent, 0.25, new HashSet<DeviceId>(), [])[0].Assignments, assignment => assignment.Device == view.Devices[1].Device);
    }

    [Fact]
    public void More_devices_than_a_preview_takes_are_refused()
        => Assert.Throws<ArgumentOutOfRangeException>(() => PlacementPreview.Next(
            View("a"), 0.25, new HashSet<DeviceId>(), [.. Enumerable.Repeat(new AddedDevice(1, 1), PlacementPreview.MostAdded + 1)]));

    private static ClusterView Planned(ClusterView view) => view with { Plans = PlacementPreview.Next(view, 0.25, new HashSet<DeviceId>(), []) };

    private static ClusterView View(string devices) => ClusterView.Empty(At('0')) with
    {
        Members = [.. devices.Select(digit => new NodeView(At(digit), [], MemberStatus.Up, true, "1"))],
        Devices = [.. devices.Select(digit => Facts.Device(digit, At(digit), null, Model.Model))],
        Models = [Model],
    };

    private static Address At(char digit) => new("akka.tcp", "efedllm", "127.0.0.1", 1000 + digit);
}
