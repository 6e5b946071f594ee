using System.Threading.Channels;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Placement;

/// <summary>The placement in real clusters within this process; the tests announce devices and models as the nodes' own actors do.</summary>
public sealed class PlacementActorTests
{
    private static readonly PlacementTimings Quick = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(400), TimeSpan.FromMilliseconds(300), TimeSpan.FromSeconds(1));

    [Fact]
    public async Task Every_node_sees_the_plan_of_the_devices_there_are_and_a_new_one_when_a_device_is_gone()
    {
        await using var anchor = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway);
        await using var first = TestNode.Start(anchor, null, null, ClusterNames.Device);
        await using var second = TestNode.Start(anchor, null, null, ClusterNames.Device);
        var nodes = new[] { anchor, first, second };
        await Task.WhenAll(nodes.Select(node => node.UpAsync(3)));
        var views = new[] { Place(anchor, 2, PlacementTimings.Default), Watch(first, first.System.StartClusterView()), Watch(second, second.System.StartClusterView()) };

        var model = Facts.Model('1', "mini", 6);
        anchor.Write(FactKeys.Models, FactKeys.ModelEntry(anchor.Address, model.Model), model);
        Announce(first, 'a', model);
        Announce(second, 'b', model);
        foreach (var view in views)
        {
            var plan = await PlanAsync(view, plan => plan.Problem is null);
            PlacementPlannerTests.AssertCovers(model, plan);
            Assert.Equal([("a", 4), ("b", 4)], plan.Assignments.Select(assignment => (assignment.Device.Short[..1], assignment.Range.Count)).Order());
        }

        await second.Cluster.LeaveAsync().WaitAsync(TestNode.Patience);
        var alone = await PlanAsync(views[1], plan => plan.Assignments.Length == 1);
        Assert.Equal(LayerRange.Whole(6), alone.Assignments[0].Range);
        Assert.Equal(new DeviceId(new string('a', 32)), alone.Assignments[0].Device);
        await EntriesAsync(anchor, FactKeys.Devices, keys => keys.SequenceEqual([new string('a', 32)]));
    }

    [Fact]
    public async Task The_first_plan_waits_for_the_expected_devices_but_not_for_ever()
    {
        await using var node = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway, ClusterNames.Device);
        await node.UpAsync(1);
        var views = Place(node, 3, Quick);
        var model = Facts.Model('1', "mini", 6);
        node.Write(FactKeys.Models, FactKeys.ModelEntry(node.Address, model.Model), model);
        Announce(node, 'a', model);
        Announce(node, 'b', model);
        var plan = await PlanAsync(views, _ => true);
        Assert.Equal((1, 2), (plan.Version, plan.Assignments.Length));

        Announce(node, 'c', model);
        Assert.Equal(3, (await PlanAsync(views, plan => plan.Version == 2)).Assignments.Length);
    }

    [Fact]
    public async Task The_ranges_of_a_device_that_is_excluded_go_to_others_with_the_next_plan()
    {
        await using var node = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway, ClusterNames.Device, ClusterNames.Ledger);
        await node.UpAsync(1);
        var views = Place(node, 2, Quick);
        var model = Facts.Model('1', "mini", 6);
        node.Write(FactKeys.Models, FactKeys.ModelEntry(node.Address, model.Model), model);
        Announce(node, 'a', model);
        Announce(node, 'b', model);
        await PlanAsync(views, plan => plan.Assignments.Length == 2);
        var excluded = new DeviceStanding(new DeviceId(new string('a', 32)), TrustTier.Excluded, TrustTier.Probation, 20, 3, node.Address);
        node.Write(FactKeys.Standings, excluded.Device.Value, excluded);
        var plan = await PlanAsync(views, plan => plan.Assignments.Length == 1);
        Assert.Equal((new DeviceId(new string('b', 32)), LayerRange.Whole(6)), (plan.Assignments[0].Device, plan.Assignments[0].Range));
        node.Write(FactKeys.Standings, excluded.Device.Value, excluded with { Server = TrustTier.Quarantined });
        await PlanAsync(views, plan => plan.Assignments.Length == 2);
    }

    [Fact]
    public async Task Without_devices_the_plan_says_so_and_without_a_model_there_is_none()
    {
        await using var node = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway, ClusterNames.Device);
        await node.UpAsync(1);
        var views = Place(node, 1, Quick);
        var (held, other) = (Facts.Model('1', "mini", 6), Facts.Model('2', "other", 6));
        Announce(node, 'a', held);
        node.Write(FactKeys.Models, FactKeys.ModelEntry(node.Address, held.Model), held);
        node.Write(FactKeys.Models, FactKeys.ModelEntry(node.Address, other.Model), other);
        var view = await views.FirstAsync<ClusterView>(view => view.Plans.Length == 2);
        Assert.Null(view.Plans.Single(plan => plan.Model == held.Model).Problem);
        Assert.Contains("1 do not have its files", view.Plans.Single(plan => plan.Model == other.Model).Problem, StringComparison.Ordinal);

        node.Remove(FactKeys.Models, FactKeys.ModelEntry(node.Address, held.Model));
        await views.FirstAsync<ClusterView>(view => view.Plans is [var plan] && plan.Model == other.Model);
    }

    [Fact]
    public async Task Facts_of_nodes_that_nobody_ever_saw_are_removed_after_a_while()
    {
        await using var node = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway);
        await node.UpAsync(1);
        Place(node, 1, Quick);
        var stranger = new Address("akka.tcp", "efedllm", "127.0.0.1", 9);
        var model = Facts.Model('1', "mini", 6);
        var device = Facts.Device('a', stranger, node.Collect().Actor, model.Model);
        node.Write(FactKeys.Devices, device.Device.Value, device);
        node.Write(FactKeys.Models, FactKeys.ModelEntry(stranger, model.Model), model);
        node.Write(FactKeys.Models, "no address at all", model);
        node.Write(FactKeys.Models, FactKeys.ModelEntry(node.Address, model.Model), model);
        await EntriesAsync(node, FactKeys.Devices, keys => !keys.Any());
        await EntriesAsync(node, FactKeys.Models, keys => keys.SequenceEqual([FactKeys.ModelEntry(node.Address, model.Model)]));
    }

    [Fact]
    public async Task The_next_anchor_goes_on_where_the_one_that_left_stopped()
    {
        await using var first = TestNode.Start(null, null, null, ClusterNames.Anchor);
        await first.UpAsync(1);
        await using var second = TestNode.Start(first, null, null, ClusterNames.Anchor, ClusterNames.Gateway, ClusterNames.Device);
        await Task.WhenAll(first.UpAsync(2), second.UpAsync(2));
        Place(first, 1, Quick);
        var views = Place(second, 1, Quick);
        var model = Facts.Model('1', "mini", 6);
        second.Write(FactKeys.Models, FactKeys.ModelEntry(second.Address, model.Model), model);
        Announce(second, 'a', model);
        Announce(second, 'b', model);
        var before = await PlanAsync(views, plan => plan.Assignments.Length == 2);

        await first.Cluster.LeaveAsync().WaitAsync(TestNode.Patience);
        await views.FirstAsync<ClusterView>(view => view.Members.Length == 1);
        Announce(second, 'c', model);
        var after = await PlanAsync(views, plan => plan.Assignments.Length == 3);
        Assert.Equal(before.Version + 1, after.Version);
        Assert.Equal(before.Assignments[0].Device, after.Assignments[0].Device);
    }

    /// <summary>Starts a node's view and placement; the views come back.</summary>
    private static ChannelReader<object> Place(TestNode node, int expected, PlacementTimings timings)
    {
        var view = node.System.StartClusterView();
        node.System.StartPlacement(view, NodeLimits.Read(node.System.Settings.Config), expected, timings);
        return Watch(node, view);
    }

    private static ChannelReader<object> Watch(TestNode node, IActorRef view)
    {
        var (subscriber, views) = node.Collect();
        view.Tell(new SubscribeView(subscriber));
        return views;
    }

    private static void Announce(TestNode node, char digit, ServedModel model)
    {
        var device = Facts.Device(digit, node.Address, node.Collect().Actor, model.Model);
        node.Write(FactKeys.Devices, device.Device.Value, device);
    }

    private static async Task<PlacementPlan> PlanAsync(ChannelReader<object> views, Func<PlacementPlan, bool> fits)
        => (await views.FirstAsync<ClusterView>(view => view.Plans is [var plan] && fits(plan))).Plans[0];

    private static async Task EntriesAsync<T>(TestNode node, Akka.DistributedData.LWWDictionaryKey<string, T> key, Func<IEnumerable<string>, bool> fits)
        where T : class
    {
        var (subscriber, changes) = node.Collect();
        Akka.DistributedData.DistributedData.Get(node.System).Replicator.Tell(Akka.DistributedData.Dsl.Subscribe(key, subscriber));
        await changes.FirstAsync<Akka.DistributedData.Changed>(change => fits(change.Get(key).Keys));
    }
}
