using Akka.Actor;
using Akka.DistributedData;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class ClusterViewActorTests
{
    [Fact]
    public async Task A_view_shows_members_and_facts_as_they_come_and_go()
    {
        await using var first = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway);
        await using var second = TestNode.Start(first, null, null, ClusterNames.Device);
        var view = first.System.StartClusterView();
        var (subscriber, views) = first.Collect();
        view.Tell(new SubscribeView(subscriber));
        var both = await views.FirstAsync<ClusterView>(view => view.IsReachable(first.Address) && view.IsReachable(second.Address) && view.Leader is not null);
        Assert.Equal(first.Address, both.Self);
        Assert.Contains(both.Members, member => member.Address.Equals(second.Address) && member.Roles.Single() == ClusterNames.Device && member.Version == "0.1.0");

        var (host, _) = second.Collect();
        var device = Facts.Device('a', second.Address, host);
        var stranger = Facts.Device('b', new Address("akka.tcp", "efedllm", "127.0.0.1", 1), host);
        var model = Facts.Model('1', "mini", 2);
        second.Write(FactKeys.Devices, device.Device.Value, device);
        second.Write(FactKeys.Devices, stranger.Device.Value, stranger);
        second.Write(FactKeys.Models, FactKeys.ModelEntry(first.Address, model.Model), model);
        second.Write(FactKeys.Plans, model.Model.Value, new PlacementPlan(model.Model, 3, [], "none"));
        var facts = await views.FirstAsync<ClusterView>(view => view is { Devices.Length: 1, Models.Length: 1, Plans.Length: 1 });
        Assert.Equal(device.Device, facts.Devices[0].Device);
        Assert.Equal(second.Address, facts.Devices[0].Host.Path.Address);
        Assert.Equal(model, facts.Models[0]);
        Assert.Equal(3, facts.Plans[0].Version);
        Assert.Equal(facts.Devices, (await view.Ask<ClusterView>(GetView.Instance, TestNode.Patience)).Devices);

        await second.Cluster.LeaveAsync().WaitAsync(TestNode.Patience);
        var alone = await views.FirstAsync<ClusterView>(view => view.Members.Length == 1);
        Assert.Empty(alone.Devices);
        Assert.Single(alone.Models);
    }

    [Fact]
    public async Task A_subscriber_hears_the_view_at_once_and_one_that_ends_is_forgotten()
    {
        await using var node = TestNode.Start(null, null, null, ClusterNames.Anchor);
        await node.UpAsync(1);
        var view = node.System.StartClusterView();
        var (first, heard) = node.Collect();
        view.Tell(new SubscribeView(first));
        await heard.FirstAsync<ClusterView>(view => view.Members.Length == 1);
        node.System.Stop(first);

        var (dead, letters) = node.Collect();
        node.System.EventStream.Subscribe(dead, typeof(Akka.Event.DeadLetter));
        var (second, views) = node.Collect();
        view.Tell(new SubscribeView(second));
        await views.FirstAsync<ClusterView>(view => view.Members.Length == 1);
        for (var i = 1; i <= 20; i++)
        {
            var model = Facts.Model('1', "mini", i);
            node.Write(FactKeys.Models, FactKeys.ModelEntry(node.Address, model.Model), model);
            await views.FirstAsync<ClusterView>(view => view.Models is [{ } seen] && seen.Layers == i);
        }

        while (letters.TryRead(out var letter))
        {
            Assert.IsNotType<ClusterView>(((Akka.Event.DeadLetter)letter).Message);
        }
    }
}
