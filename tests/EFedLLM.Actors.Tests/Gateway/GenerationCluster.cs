using System.Collections.Immutable;
using System.Threading.Channels;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>A gateway and three devices, each a node of its own with the reference settings, and a real model. The tests take the placement's part.</summary>
public sealed class GenerationCluster : IAsyncLifetime
{
    private readonly List<TestNode> _devices = [];
    private readonly List<IActorRef> _hosts = [];
    private TestNode _gatewayNode = null!;
    private ChannelReader<object> _views = null!;
    private long _version;

    internal static NodeLimits Limits { get; } = TestLimits.Reference with { DeviceMemoryBytes = 256 << 20, QueueTimeout = TimeSpan.FromSeconds(20) };

    internal GatewayModel Model { get; private set; } = null!;

    internal IReadOnlyList<CacheBudget> Budgets { get; } = [new(32 << 20), new(32 << 20), new(32 << 20)];

    internal TestNode GatewayNode => _gatewayNode;

    internal TestNode DeviceNode(int device) => _devices[device];

    internal IActorRef View { get; private set; } = null!;

    internal IActorRef Reporter { get; private set; } = null!;

    internal ChannelReader<object> Reports { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (SharedModels.Root is null)
        {
            return;
        }

        Model = GatewayModel.Open(SharedModels.Model("stories260K"));
        _gatewayNode = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway);
        View = _gatewayNode.System.StartClusterView();
        (Reporter, Reports) = _gatewayNode.Collect();
        (var subscriber, _views) = _gatewayNode.Collect();
        View.Tell(new SubscribeView(subscriber));
        for (var device = 0; device < 3; device++)
        {
            var node = TestNode.Start(_gatewayNode, null, null, ClusterNames.Device);
            _devices.Add(node);
            _hosts.Add(StartDevice(device, node.System.StartClusterView()));
        }

        await _gatewayNode.UpAsync(4);
    }

    public async Task DisposeAsync()
    {
        foreach (var node in _devices)
        {
            await node.DisposeAsync();
        }

        if (_gatewayNode is not null)
        {
            await _gatewayNode.DisposeAsync();
        }
    }

    /// <summary>Another gateway on the gateway's node. Only the first can be found by its path.</summary>
    internal IActorRef StartGateway(NodeLimits limits, string? name = null)
    {
        var settings = new GatewaySettings { Models = [Model], Limits = limits, View = View, Reporter = Reporter };
        return _gatewayNode.System.ActorOf(Props.Create(() => new GatewayActor(settings)), name);
    }

    /// <summary>Spreads the model over the first <paramref name="devices"/> devices, and waits until they serve it and the others nothing.</summary>
    internal async Task<ImmutableArray<Assignment>> PlaceAsync(int devices)
    {
        var units = Model.Shape.Units;
        var assignments = Enumerable.Range(0, devices)
            .Select(device => new Assignment(TestSessions.Device(device), new LayerRange(units * device / devices, units * (device + 1) / devices), "a test"))
            .ToImmutableArray();
        _gatewayNode.Write(FactKeys.Plans, Model.Served.Model.Value, new PlacementPlan(Model.Served.Model, ++_version, assignments, null));
        var (subscriber, views) = _gatewayNode.Collect();
        View.Tell(new SubscribeView(subscriber));
        await views.FirstAsync<ClusterView>(view => view.Devices.Length == 3
            && view.Devices.SelectMany(device => device.Loaded.Select(loaded => (device.Device, loaded.Range))).ToHashSet()
                .SetEquals(assignments.Select(assignment => (assignment.Device, assignment.Range)))
            && RoutePlanner.Plan(view, Model.Served).Route?.Hops.Length == devices);
        _gatewayNode.System.Stop(subscriber);
        return assignments;
    }

    /// <summary>Ends a device's actors as a crash would, and starts them again.</summary>
    internal async Task CrashAsync(int device, Func<Task> meanwhile)
    {
        await _hosts[device].GracefulStop(TestNode.Patience);
        await meanwhile();
        var view = await _devices[device].System.ActorSelection("/user/view").ResolveOne(TestNode.Patience);
        _hosts[device] = StartDevice(device, view);
    }

    /// <summary>Makes a device leave, as an orderly shutdown does; complete when its last session is closed.</summary>
    internal Task LeaveAsync(int device) => _hosts[device].Ask<Akka.Done>(LeaveDevice.Instance, TestNode.Patience);

    /// <summary>Waits until no device has a session.</summary>
    internal async Task EmptyAsync()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (Budgets.Any(budget => budget.Reserved != 0))
        {
            await Task.Delay(10, patience.Token);
        }
    }

    private IActorRef StartDevice(int device, IActorRef view) => _devices[device].System.StartDevice(new DeviceSettings
    {
        DeviceId = TestSessions.Device(device),
        Name = $"device {device}",
        ModelFolders = [SharedModels.Model("stories260K")],
        Limits = Limits,
        View = view,
        Cache = Budgets[device],
    });
}
