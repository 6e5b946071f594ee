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
using EFedLLM.Compression;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>
/// A gateway and three devices, each a node of its own with the reference settings, and two real models: a checkpoint in float32 and an
/// int8 one made of another. The tests take the placement's part.
/// </summary>
public class GenerationCluster : IAsyncLifetime
{
    private readonly List<TestNode> _devices = [];
    private readonly List<IActorRef> _hosts = [];
    private string? _scratch;
    private TestNode _gatewayNode = null!;
    private long _version;

    internal static NodeLimits Limits { get; } = TestLimits.Reference with { DeviceMemoryBytes = 256 << 20, QueueTimeout = TimeSpan.FromSeconds(20), DrainTime = TimeSpan.Zero };

    /// <summary>The models: stories260K in float32, and the int8 one of efed-mini.</summary>
    internal IReadOnlyList<GatewayModel> Models { get; private set; } = [];

    /// <summary>Their folders.</summary>
    internal IReadOnlyList<string> Folders { get; private set; } = [];

    /// <summary>The first model.</summary>
    /// <summary>Whose the second device says that it is; the others say nothing.</summary>
    internal const string DeviceOwner = "anna";

    internal GatewayModel Model => Models[0];

    internal IReadOnlyList<CacheBudget> Budgets { get; private protected init; } = [new(32 << 20), new(32 << 20), new(32 << 20)];

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

        _scratch = Directory.CreateTempSubdirectory("efedllm-test-").FullName;
        Folders = MakeFolders(_scratch);
        Models = [.. Folders.Select(folder => GatewayModel.Open(folder))];
        _gatewayNode = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway);
        View = _gatewayNode.System.StartClusterView();
        var reports = Channel.CreateUnbounded<object>();
        (Reporter, Reports) = (_gatewayNode.System.ActorOf(Props.Create(() => new ReportCollector(reports.Writer))), reports.Reader);
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

        if (_scratch is not null)
        {
            Directory.Delete(_scratch, recursive: true);
        }
    }

    /// <summary>The models' folders, some of them made in a scratch folder.</summary>
    private protected virtual IReadOnlyList<string> MakeFolders(string scratch) => [SharedModels.Model("stories260K"), Int8(scratch, "efed-mini")];

    /// <summary>The int8 form of a shared model.</summary>
    private protected static string Int8(string scratch, string model)
    {
        var folder = Path.Combine(scratch, "int8");
        using var checkpoint = Checkpoint.Open(SharedModels.Model(model));
        Compressor.Run(checkpoint, folder, new CompressionSettings());
        return folder;
    }

    /// <summary>Another gateway on the gateway's node. Only the first can be found by its path.</summary>
    internal IActorRef StartGateway(NodeLimits limits, string? name = null, string? owner = null)
    {
        var settings = new GatewaySettings { Models = Models, Limits = limits, View = View, Reporter = Reporter, Owner = owner };
        return _gatewayNode.System.ActorOf(Props.Create(() => new GatewayActor(settings)), name);
    }

    /// <summary>Spreads the models over the first <paramref name="devices"/> devices, and waits until they serve them and the others nothing.</summary>
    /// <returns>Who serves what of which model.</returns>
    internal Task<IReadOnlyDictionary<ModelId, ImmutableArray<Assignment>>> PlaceAsync(int devices) => PlaceAsync(units => Spread(units, devices), devices);

    /// <summary>Puts the first half of each model on the first device, and the second on both of the others.</summary>
    internal Task PlaceReplicaAsync() => PlaceAsync(
        units => [.. Spread(units, 2), .. Spread(units, 2).Skip(1).Select(assignment => assignment with { Device = TestSessions.Device(2) })], 2);

    private async Task<IReadOnlyDictionary<ModelId, ImmutableArray<Assignment>>> PlaceAsync(Func<int, ImmutableArray<Assignment>> place, int hops)
    {
        var plans = Models.Select(model => new PlacementPlan(model.Served.Model, ++_version, place(model.Shape.Units), null)).ToArray();
        foreach (var plan in plans)
        {
            _gatewayNode.Write(FactKeys.Plans, plan.Model.Value, plan);
        }

        var wanted = plans.SelectMany(plan => plan.Assignments.Select(assignment => (plan.Model, assignment.Device, assignment.Range))).ToHashSet();
        await SeenAsync(view => view.Devices.Length == 3
            && view.Devices.All(device => device is { BytesPerSecond: > 0, Leaving: false })
            && view.Devices.SelectMany(device => device.Loaded.Select(loaded => (loaded.Model, device.Device, loaded.Range))).ToHashSet().SetEquals(wanted)
            && Models.All(model => RoutePlanner.Plan(view, model.Served).Route?.Hops.Length == hops));
        return plans.ToDictionary(plan => plan.Model, plan => plan.Assignments);
    }

    /// <summary>Waits until the gateway's node sees the cluster so.</summary>
    internal async Task SeenAsync(Func<ClusterView, bool> fits)
    {
        var (subscriber, views) = _gatewayNode.Collect();
        View.Tell(new SubscribeView(subscriber));
        await views.FirstAsync(fits);
        _gatewayNode.System.Stop(subscriber);
    }

    /// <summary>Ends a device's actors as a crash would, and starts them again.</summary>
    internal async Task CrashAsync(int device, Func<Task> meanwhile)
    {
        await _hosts[device].GracefulStop(TestNode.Patience);
        try
        {
            await meanwhile();
        }
        finally
        {
            await RestartAsync(device);
        }
    }

    private async Task RestartAsync(int device)
    {
        var view = await _devices[device].System.ActorSelection("/user/view").ResolveOne(TestNode.Patience);
        while (true)
        {
            try
            {
                _hosts[device] = StartDevice(device, view);
                return;
            }
            catch (InvalidActorNameException)
            {
                // The name of an actor becomes free a moment after its end is known.
                await Task.Delay(1);
            }
        }
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

    private static ImmutableArray<Assignment> Spread(int units, int devices) => [.. Enumerable.Range(0, devices)
        .Select(device => new Assignment(TestSessions.Device(device), new LayerRange(units * device / devices, units * (device + 1) / devices), "a test"))];

    private IActorRef StartDevice(int device, IActorRef view) => _devices[device].System.StartDevice(new DeviceSettings
    {
        DeviceId = TestSessions.Device(device),
        Name = $"device {device}",
        Owner = device == 1 ? DeviceOwner : null,
        ModelFolders = Folders,
        Limits = Limits,
        View = view,
        Cache = Budgets[device],

        // Once is enough for one machine: GoldenVectorsTests.
        IsSound = _ => true,
    });

    /// <summary>In the reporter's place: keeps what it is told, and says so.</summary>
    private sealed class ReportCollector : ReceiveActor
    {
        public ReportCollector(ChannelWriter<object> reports) => Receive<WorkReports>(message =>
        {
            foreach (var report in message.Reports)
            {
                reports.TryWrite(report);
            }

            Sender.Tell(WorkReportsKept.Instance);
        });
    }
}
