using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.DistributedData;
using Akka.Event;
using Akka.Remote;
using Akka.Serialization;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Configuration;

/// <summary>Two nodes with the reference settings: untrusted mode on, JSON off.</summary>
public sealed class NodeClusterTests(NodeClusterTests.Pair pair, ITestOutputHelper output) : IClassFixture<NodeClusterTests.Pair>
{
    private static readonly DeviceId Device = new(new string('d', 32));

    [Fact]
    public async Task A_third_node_is_up_soon()
    {
        var clock = Stopwatch.StartNew();
        await using var third = TestNode.Start(pair.First, null, null, ClusterNames.Device);
        await third.UpAsync(3);
        output.WriteLine($"up after {clock.ElapsedMilliseconds} ms");
        await third.Cluster.LeaveAsync().WaitAsync(TestNode.Patience);
    }

    [Fact]
    public async Task Facts_of_one_node_reach_the_other_in_distributed_data()
    {
        var key = new LWWDictionaryKey<string, DeviceAnnouncement>("devices");
        var (host, received) = pair.First.Collect();
        var announcement = new DeviceAnnouncement(
            Device, "name", pair.First.Address, host, 1 << 30, 2.5e9, [new(new string('a', 64))], [new(new(new string('a', 64)), new(0, 3), host, 77)], false, 5);
        var (subscriber, changes) = pair.Second.Collect();
        DistributedData.Get(pair.Second.System).Replicator.Tell(Dsl.Subscribe(key, subscriber));
        DistributedData.Get(pair.First.System).Replicator.Tell(Dsl.Update(
            key,
            LWWDictionary<string, DeviceAnnouncement>.Empty,
            WriteLocal.Instance,
            facts => facts.SetItem(pair.First.Cluster.SelfUniqueAddress, Device.Value, announcement)));

        var change = await changes.FirstAsync<Changed>(change => change.Get(key).ContainsKey(Device.Value));
        var seen = change.Get(key)[Device.Value];
        Assert.Equal(announcement with { Host = seen.Host, Loaded = seen.Loaded }, seen);
        Assert.Equal(pair.First.Address, seen.Host.Path.Address);

        seen.Loaded[0].Shard.Tell(new GetDeviceRecord(Device));
        await received.FirstAsync<GetDeviceRecord>(_ => true);
    }

    [Fact]
    public async Task A_sharded_entity_answers_through_a_proxy_on_another_node()
    {
        var sharding = ClusterSharding.Get(pair.First.System);
        await sharding.StartAsync(ClusterNames.LedgerType, _ => Props.Create(() => new Echo()), ClusterShardingSettings.Create(pair.First.System), new ByDevice());
        var proxy = await ClusterSharding.Get(pair.Second.System).StartProxyAsync(ClusterNames.LedgerType, ClusterNames.Ledger, new ByDevice());
        var answer = await proxy.Ask<WorkRecorded>(new GetDeviceRecord(Device), TestNode.Patience);
        Assert.Equal(Device, answer.Device);
    }

    [Fact]
    public async Task A_singleton_answers_through_a_proxy_on_another_node()
    {
        var settings = ClusterSingletonManagerSettings.Create(pair.First.System).WithRole(ClusterNames.Anchor);
        pair.First.System.ActorOf(ClusterSingletonManager.Props(Props.Create(() => new Echo()), PoisonPill.Instance, settings), ClusterNames.PlacementActor);
        var proxy = pair.Second.System.ActorOf(ClusterSingletonProxy.Props(
            $"/user/{ClusterNames.PlacementActor}", ClusterSingletonProxySettings.Create(pair.Second.System).WithRole(ClusterNames.Anchor)));
        var answer = await proxy.Ask<WorkRecorded>(new GetDeviceRecord(Device), TestNode.Patience);
        Assert.Equal(Device, answer.Device);
    }

    [Fact]
    public async Task A_gateway_is_found_by_its_path_and_other_actors_are_not()
    {
        var (_, gateway) = pair.First.Collect(ClusterNames.GatewayActor);
        var (_, secret) = pair.First.Collect("secret");
        pair.Second.System.ActorSelection($"{pair.First.Address}/user/secret").Tell(new GetDeviceRecord(Device));
        pair.Second.System.ActorSelection($"{pair.First.Address}/user/{ClusterNames.GatewayActor}").Tell(new GetDeviceRecord(Device));
        await gateway.FirstAsync<GetDeviceRecord>(_ => true);
        Assert.False(secret.TryRead(out _));
    }

    [Fact]
    public async Task A_peer_cannot_poison_an_actor_but_may_watch_it()
    {
        var (actor, messages) = pair.First.Collect();
        var remote = pair.On(pair.Second.System, actor);
        var terminated = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        pair.Second.System.ActorOf(Props.Create(() => new Watcher(remote, terminated)));
        remote.Tell(PoisonPill.Instance);
        remote.Tell(new GetDeviceRecord(Device));
        await messages.FirstAsync<GetDeviceRecord>(_ => true);
        Assert.False(terminated.Task.IsCompleted);

        pair.First.System.Stop(actor);
        await terminated.Task.WaitAsync(TestNode.Patience);
    }

    [Fact]
    public async Task A_class_without_a_form_fails_where_it_is_sent_and_what_follows_arrives()
    {
        var log = pair.Second.Log();
        var (actor, messages) = pair.First.Collect();
        var remote = pair.On(pair.Second.System, actor);
        remote.Tell(new Bait());
        remote.Tell(new GetDeviceRecord(Device));

        var error = await log.FirstAsync<LogEvent>(entry => entry.ToString()!.Contains("Protocol/Wire", StringComparison.Ordinal));
        Assert.Contains(nameof(Bait), error.ToString(), StringComparison.Ordinal);
        Assert.IsType<GetDeviceRecord>(await messages.FirstAsync<object>(_ => true));
    }

    [Fact]
    public async Task Forged_JSON_constructs_nothing_and_costs_no_connection()
    {
        var log = pair.First.Log();
        var (actor, messages) = pair.First.Collect();
        using var stranger = pair.Stranger("");
        var remote = pair.On(stranger, actor);
        var lost = pair.Watch<DisassociatedEvent>(pair.First);
        var bait = new Bait();
        Assert.Equal(1, Serializer(stranger, bait).Identifier);
        var constructed = Bait.Constructed;
        remote.Tell(bait);
        remote.Tell(new GetDeviceRecord(Device));

        Assert.IsType<GetDeviceRecord>(await messages.FirstAsync<object>(_ => true));
        await log.FirstAsync<LogEvent>(entry => entry.ToString()!.Contains("JSON with a type name", StringComparison.Ordinal));
        Assert.Equal(constructed, Bait.Constructed);
        Assert.False(lost.TryRead(out _));
        await stranger.Terminate();
    }

    [Theory]
    [InlineData("gr", 3)]
    [InlineData("gr", 0)]
    [InlineData("zz", 10)]
    [InlineData("fh", 40_000)]
    [InlineData("os", 100_000)]
    public async Task Malformed_bytes_are_logged_and_dropped_and_the_connection_lives(string manifest, int length)
    {
        var log = pair.First.Log();
        var (actor, messages) = pair.First.Collect();
        using var stranger = pair.Stranger(
            """
            akka.log-serializer-override-on-start = off
            akka.actor {
              serializers.raw = "EFedLLM.Actors.Tests.Configuration.NodeClusterTests+RawSerializer, EFedLLM.Actors.Tests"
              serialization-bindings { "EFedLLM.Actors.Tests.Configuration.NodeClusterTests+Raw, EFedLLM.Actors.Tests" = raw }
            }
            """);
        var remote = pair.On(stranger, actor);
        var lost = pair.Watch<DisassociatedEvent>(pair.First);
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        remote.Tell(new Raw(manifest, bytes));
        remote.Tell(new GetDeviceRecord(Device));

        Assert.IsType<GetDeviceRecord>(await messages.FirstAsync<object>(_ => true));
        await log.FirstAsync<LogEvent>(entry => entry.ToString()!.Contains(nameof(MalformedMessageException), StringComparison.Ordinal));
        Assert.False(lost.TryRead(out _));
        await stranger.Terminate();
    }

    private static Serializer Serializer(ActorSystem system, object message) => system.Serialization.FindSerializerFor(message);

    /// <summary>Two nodes that are up.</summary>
    public sealed class Pair : IAsyncLifetime
    {
        internal TestNode First { get; private set; } = null!;

        internal TestNode Second { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            First = TestNode.Start(null, null, null, ClusterNames.Anchor, ClusterNames.Gateway, ClusterNames.Ledger);
            Second = TestNode.Start(First, null, null, ClusterNames.Device);
            await Task.WhenAll(First.UpAsync(2), Second.UpAsync(2));
        }

        public async Task DisposeAsync()
        {
            await Second.DisposeAsync();
            await First.DisposeAsync();
        }

        /// <summary>A system that can connect to the nodes and uses Akka's own serializers beside ours.</summary>
        internal ActorSystem Stranger(string hocon) => ActorSystem.Create("stranger", ConfigurationFactory.ParseString(hocon).WithFallback(
            """
            akka {
              loggers = []
              stdout-loglevel = OFF
              actor.provider = remote
              remote.dot-netty.tcp { hostname = "127.0.0.1", port = 0 }
              actor.serializers.efedllm = "EFedLLM.Actors.Protocol.Wire.ProtocolSerializer, EFedLLM.Actors"
              actor.serialization-bindings { "EFedLLM.Actors.Protocol.IProtocolMessage, EFedLLM.Actors" = efedllm }
            }
            """));

        /// <summary>An actor of the first node as another system reaches it.</summary>
        internal IActorRef On(ActorSystem system, IActorRef actor)
            => ((ExtendedActorSystem)system).Provider.ResolveActorRef(actor.Path.ToSerializationFormatWithAddress(First.Address));

        /// <summary>What a node's event stream brings of a kind.</summary>
        internal System.Threading.Channels.ChannelReader<object> Watch<T>(TestNode node)
        {
            var (actor, messages) = node.Collect();
            node.System.EventStream.Subscribe(actor, typeof(T));
            return messages;
        }
    }

    /// <summary>A class without a form.</summary>
    public sealed class Bait
    {
        private static int _constructed;

        public Bait() => Interlocked.Increment(ref _constructed);

        public static int Constructed => Volatile.Read(ref _constructed);

        public string Text { get; set; } = "bait";
    }

    /// <summary>Any bytes under any manifest.</summary>
    public sealed record Raw(string Manifest, byte[] Bytes);

    /// <summary>Sends them as if our serializer had made them.</summary>
    public sealed class RawSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
    {
        public override int Identifier => ProtocolSerializer.ProtocolIdentifier;

        public override string Manifest(object o) => ((Raw)o).Manifest;

        public override byte[] ToBinary(object obj) => ((Raw)obj).Bytes;

        public override object FromBinary(byte[] bytes, string manifest) => throw new NotSupportedException();
    }

    private sealed class ByDevice() : HashCodeMessageExtractor(10)
    {
        public override string EntityId(object message) => ((GetDeviceRecord)message).Device.Value;
    }

    private sealed class Echo : ReceiveActor
    {
        public Echo() => Receive<GetDeviceRecord>(query => Sender.Tell(new WorkRecorded(new ReportId(Guid.Empty, 1), query.Device)));
    }

    private sealed class Watcher : ReceiveActor
    {
        public Watcher(IActorRef watched, TaskCompletionSource terminated)
        {
            Context.Watch(watched);
            Receive<Terminated>(_ => terminated.SetResult());
        }
    }
}
