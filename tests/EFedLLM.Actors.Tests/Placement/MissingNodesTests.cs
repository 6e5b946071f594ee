using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class MissingNodesTests
{
    private static readonly Address A = new("akka.tcp", "efedllm", "127.0.0.1", 1001);
    private static readonly Address B = new("akka.tcp", "efedllm", "127.0.0.1", 1002);

    [Fact]
    public void A_device_is_planned_without_when_it_was_silent_for_long_enough_and_with_when_it_answers_again()
    {
        var missing = new MissingNodes(TimeSpan.FromSeconds(2));
        missing.Look(View(true), At(0));
        Assert.Null(missing.Next(At(0)));
        missing.Look(View(false), At(1));
        missing.Look(View(false), At(2));
        Assert.Equal(At(1), missing.Next(At(2)));
        Assert.Equal(["a", "b"], Names(missing.Without(View(false), At(2.9))));
        Assert.Equal(["a"], Names(missing.Without(View(false), At(3))));
        Assert.Null(missing.Next(At(3)));
        missing.Look(View(true), At(4));
        Assert.Equal(["a", "b"], Names(missing.Without(View(true), At(4))));
    }

    private static IEnumerable<string> Names(ClusterView view) => view.Devices.Select(device => device.Name);

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static ClusterView View(bool isReachable) => ClusterView.Empty(A) with
    {
        Members = [new NodeView(A, [], MemberStatus.Up, true, "1"), new NodeView(B, [], MemberStatus.Up, isReachable, "1")],
        Devices = [Facts.Device('a', A), Facts.Device('b', B)],
    };
}
