using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Placement;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class GhostStateTests
{
    private static readonly Address Node = new("akka.tcp", "efedllm", "127.0.0.1", 4053);
    private static readonly ImmutableHashSet<string> Device = [ClusterNames.Device];

    [Theory]
    [InlineData("nobody listens, twice", "Refused Refused", "ProbeAgain Remove")]
    [InlineData("somebody listens after all", "Refused Open", "ProbeAgain Forget")]
    [InlineData("a busy process", "Open", "Forget")]
    [InlineData("a broken network is no death", "Silent", "Forget")]
    [InlineData("the network breaks meanwhile", "Refused Silent", "ProbeAgain Forget")]
    public void A_node_is_removed_only_when_its_machine_says_twice_that_it_is_gone(string rule, string outcomes, string expected)
    {
        Assert.NotNull(rule);
        var state = new GhostState();
        Assert.True(state.Suspect(Node, MemberStatus.Up, Device));
        Assert.Equal(expected, string.Join(' ', outcomes.Split(' ').Select(outcome => state.Judge(Node, Enum.Parse<ProbeOutcome>(outcome), MemberStatus.Up, Device))));

        // What was settled is no suspect any more, and may become one again.
        Assert.Equal(GhostStep.Forget, state.Judge(Node, ProbeOutcome.Refused, MemberStatus.Up, Device));
        Assert.True(state.Suspect(Node, MemberStatus.Up, Device));
    }

    [Theory]
    [InlineData(MemberStatus.Joining, true)]
    [InlineData(MemberStatus.Up, true)]
    [InlineData(MemberStatus.Leaving, true)]
    [InlineData(MemberStatus.Exiting, false)]
    [InlineData(MemberStatus.Down, false)]
    [InlineData(null, false)]
    public void Only_members_that_are_not_on_their_way_out_are_looked_after(MemberStatus? status, bool expected)
        => Assert.Equal(expected, new GhostState().Suspect(Node, status, Device));

    [Fact]
    public void Anchors_are_left_to_the_resolver()
    {
        Assert.False(new GhostState().Suspect(Node, MemberStatus.Up, [ClusterNames.Anchor, ClusterNames.Ledger]));
        var state = new GhostState();
        Assert.True(state.Suspect(Node, MemberStatus.Up, Device));
        Assert.Equal(GhostStep.Forget, state.Judge(Node, ProbeOutcome.Refused, MemberStatus.Up, [ClusterNames.Anchor]));
    }

    [Fact]
    public void A_suspect_is_looked_after_once_at_a_time()
    {
        var state = new GhostState();
        Assert.True(state.Suspect(Node, MemberStatus.Up, Device));
        Assert.False(state.Suspect(Node, MemberStatus.Up, Device));
        Assert.False(state.Suspect(new Address("akka", "efedllm"), MemberStatus.Up, Device));
    }

    [Fact]
    public async Task A_port_tells_whether_anybody_listens()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        var address = Node.WithPort(((System.Net.IPEndPoint)listener.LocalEndpoint).Port);
        Assert.Equal(ProbeOutcome.Open, await PortProbe.TryAsync(address));
        listener.Stop();
        Assert.Equal(ProbeOutcome.Refused, await PortProbe.TryAsync(address));
    }
}
