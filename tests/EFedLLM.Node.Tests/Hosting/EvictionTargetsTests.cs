using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Hosting;

namespace EFedLLM.Node.Tests.Hosting;

public class EvictionTargetsTests
{
    private static readonly ClusterView View = new(
        Node(1),
        Node(1),
        [Member(1, "anchor", "gateway"), Member(2, "device"), Member(3, "device"), Member(4, "anchor", "device")],
        [Device(0x2a, 2, "kitchen"), Device(0x3a, 3, "study"), Device(0x4a, 4, "hall")],
        [],
        []);

    [Fact]
    public void A_device_is_taken_out_where_it_is() => Assert.Equal([Node(2)], Of(View, 0x2a).Nodes);

    [Fact]
    public void A_device_that_is_not_here_is_kept_out_all_the_same() => Assert.Empty(Of(View, 0x99).Nodes);

    [Fact]
    public void A_liar_takes_out_neither_an_anchor_nor_another_device_nor_the_gateway()
    {
        foreach (var victim in new[] { 1, 3, 4 })
        {
            var targets = Of(View with { Devices = [.. View.Devices, Device(0x66, victim, "liar")] }, 0x66);
            Assert.Empty(targets.Nodes);
            Assert.Equal([Node(victim)], targets.Doubtful);
        }
    }

    [Fact]
    public void A_gateway_that_is_a_device_cannot_evict_itself()
    {
        Assert.True(EvictionTargets.Of(Id(0x2a), Id(0x2a), View).IsSelf);
        Assert.False(EvictionTargets.Of(Id(0x2a), Id(0x3a), View).IsSelf);
        Assert.False(Of(View, 0x2a).IsSelf);
    }

    [Theory]
    [InlineData("kitchen", 1)]
    [InlineData("Kitchen", 0)]
    [InlineData("0000000000000000000000000000002A", 1)]
    [InlineData("0000000000000000000000000000009a", 1)]
    [InlineData("0000", 2)]
    [InlineData("000", 0)]
    [InlineData("0000000000000000000000000000002", 1)]
    [InlineData("0000000000000000000000000000002a0", 0)]
    public void A_device_is_meant_by_its_name_or_by_enough_of_its_id(string text, int count)
        => Assert.Equal(count, EvictionTargets.Meant(text, View.Devices.Select(device => (device.Device, device.Name))).Count);

    private static EvictionTargets Of(ClusterView view, int device) => EvictionTargets.Of(Id(device), null, view);

    private static DeviceId Id(int number) => new($"{number:x32}");

    private static Address Node(int number) => new("akka.ssl.tcp", "efedllm", "10.0.0.1", number);

    private static NodeView Member(int number, params string[] roles) => new(Node(number), [.. roles], MemberStatus.Up, true, "1.0.0");

    private static DeviceAnnouncement Device(int id, int node, string name) => new(Id(id), name, Node(node), ActorRefs.Nobody, 1, 1, [], [], false, 1);
}
