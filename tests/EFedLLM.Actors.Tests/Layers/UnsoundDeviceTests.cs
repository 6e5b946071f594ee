using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>A device that computes wrongly is found before anybody gives it work.</summary>
public sealed class UnsoundDeviceTests
{
    [Fact]
    public async Task A_device_that_computes_wrongly_leaves_before_it_has_announced_itself_and_says_what_to_do()
        => Assert.Contains("efedllm doctor", await EndOf(_ => false), StringComparison.Ordinal);

    [Fact]
    public async Task A_device_that_cannot_show_that_it_computes_rightly_says_why()
        => Assert.Contains("No space left", await EndOf(_ => throw new IOException("No space left")), StringComparison.Ordinal);

    private static async Task<string> EndOf(Func<ComputeTeam, bool> isSound)
    {
        await using var node = TestNode.Start(null, null, null, ClusterNames.Anchor);
        await node.UpAsync(1);
        var view = node.System.StartClusterView();
        var announced = false;
        Action hear = () => announced = true;
        node.System.ActorOf(Props.Create(() => new Listener(view, hear)));
        node.System.StartDevice(new DeviceSettings
        {
            DeviceId = TestSessions.Device(1),
            Name = "unsound",
            ModelFolders = [],
            Limits = TestLimits.Reference,
            View = view,
            IsSound = isSound,
        });
        await node.System.WhenTerminated.WaitAsync(TestNode.Patience);
        Assert.False(announced);
        return Assert.IsType<CannotRunReason>(CoordinatedShutdown.Get(node.System).ShutdownReason).Message;
    }

    private sealed class Listener : ReceiveActor
    {
        public Listener(IActorRef view, Action announced)
        {
            Receive<ClusterView>(seen =>
            {
                if (seen.Devices.Length > 0)
                {
                    announced();
                }
            });
            view.Tell(new SubscribeView(Self));
        }
    }
}
