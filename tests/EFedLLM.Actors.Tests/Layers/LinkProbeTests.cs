using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Placement;

namespace EFedLLM.Actors.Tests.Layers;

public sealed class LinkProbeTests
{
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task The_way_to_a_device_on_another_node_is_measured_and_one_that_is_gone_is_forgotten()
    {
        await using var near = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Device);
        await using var far = TestNode.Start(near, null, null, ClusterNames.Device);
        await Task.WhenAll(near.UpAsync(2), far.UpAsync(2));
        var (host, heard) = near.Collect();
        var (other, _) = far.Collect();
        var (self, peer) = (Facts.Device('a', near.Address, host), Facts.Device('b', far.Address, other));
        var (views, _) = near.Collect();
        var probe = near.System.ActorOf(Props.Create(() => new LinkProbe(self.Device, views, host, TimeProvider.System, Quick)));
        var view = ClusterView.Empty(near.Address) with
        {
            Members = [.. new[] { near, far }.Select(node => new NodeView(node.Address, [], MemberStatus.Up, true, "1"))],
            Devices = [self, peer],
        };
        probe.Tell(view);
        var link = Assert.Single((await heard.FirstAsync<LinksMeasured>(_ => true)).Links);
        Assert.Equal(peer.Device, link.Peer);
        Assert.InRange(link.Milliseconds, float.Epsilon, (float)TestNode.Patience.TotalMilliseconds);

        probe.Tell(view with { Devices = [self] });
        Assert.Empty((await heard.FirstAsync<LinksMeasured>(measured => measured.Links.IsEmpty)).Links);
    }

    [Fact]
    public async Task An_answer_that_nobody_asked_for_is_not_heard()
    {
        await using var node = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Device);
        var (host, heard) = node.Collect();
        var (views, _) = node.Collect();
        var (self, peer) = (Facts.Device('a', node.Address, host), Facts.Device('b', node.Address, node.Collect().Actor));
        var probe = node.System.ActorOf(Props.Create(() => new LinkProbe(self.Device, views, host, TimeProvider.System, Quick)));
        probe.Tell(new ActorIdentity(new string('c', 32), host));
        probe.Tell(ClusterView.Empty(node.Address) with { Members = [new NodeView(node.Address, [], MemberStatus.Up, true, "1")], Devices = [self, peer] });
        Assert.Equal(peer.Device, Assert.Single((await heard.FirstAsync<LinksMeasured>(_ => true)).Links).Peer);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(17, 16)]
    [InlineData(18, 16)]
    [InlineData(5000, 16)]
    public void No_more_devices_are_asked_than_may_be_announced_and_neighbours_are_among_them(int count, int expected)
    {
        var devices = Enumerable.Range(0, count).Select(i => Facts.Device('a', new Address("akka.tcp", "efedllm", "127.0.0.1", 10_000 + i)) with { Device = new DeviceId($"{i:x32}") }).ToList();
        var peers = LinkProbe.Peers(devices[0].Device, devices);
        Assert.Equal(expected, peers.Length);
        Assert.Equal(expected, peers.Select(peer => peer.Device).Distinct().Count());
        Assert.DoesNotContain(peers, peer => peer.Device == devices[0].Device);
        Assert.True(count == 1 || peers.Any(peer => peer.Device == devices[1].Device));
    }
}
