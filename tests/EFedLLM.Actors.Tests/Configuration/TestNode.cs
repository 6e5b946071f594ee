using System.Threading.Channels;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster;
using Akka.Configuration;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Reputation;

namespace EFedLLM.Actors.Tests.Configuration;

/// <summary>A node in this process, set up as the program sets it up.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    /// <summary>Far longer than anything here takes, so that only what never happens runs into it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly LedgerStore? _ledger;

    private TestNode(ActorSystem system, LedgerStore? ledger) => (System, _ledger) = (system, ledger);

    public ActorSystem System { get; }

    /// <summary>What it signs with.</summary>
    public DeviceKey Key { get; } = DeviceKey.Create();

    public Cluster Cluster => Cluster.Get(System);

    public Address Address => Cluster.SelfAddress;

    public string Seed => $"{Address.Host}:{Address.Port}";

    /// <summary>A node that founds a cluster, or joins <paramref name="seed"/>'s, without waiting until it is let in.</summary>
    public static TestNode Start(TestNode? seed, string? certificates, string? data, params string[] roles)
        => Start(Settings(seed, certificates, data, roles), seed, null);

    /// <summary>A node with what lies under its ledger: a file in <paramref name="data"/>, or a PostgreSQL database.</summary>
    public static async Task<TestNode> StartLedgerNodeAsync(TestNode? seed, string data, string? database, params string[] roles)
    {
        var ledger = await LedgerStore.OpenAsync(Settings(seed, null, data, [.. roles, ClusterNames.Ledger]) with { LedgerDatabase = database }, CancellationToken.None);
        return Start(ledger.Settings, seed, ledger);
    }

    private static NodeSettings Settings(TestNode? seed, string? certificates, string? data, string[] roles) => new()
    {
        Roles = [.. roles],
        Seeds = seed is null ? [] : [seed.Seed],
        DataFolder = data ?? Path.GetTempPath(),
        CertificateFolder = certificates,
    };

    private static TestNode Start(NodeSettings settings, TestNode? seed, LedgerStore? ledger)
    {
        var setup = NodeConfiguration.Setup(settings);
        var quiet = ConfigurationFactory.ParseString("akka { loggers = [], stdout-loglevel = OFF }");
        var node = new TestNode(ActorSystem.Create(ClusterNames.System, setup.And(setup.Get<BootstrapSetup>().Value.WithConfig(quiet.WithFallback(setup.Get<BootstrapSetup>().Value.Config.Value)))), ledger);
        if (seed is null)
        {
            node.Cluster.Join(node.Address);
        }

        return node;
    }

    /// <summary>Its ledger, or the way to it.</summary>
    public Task<IActorRef> StartLedgerAsync() => System.StartLedgerAsync(Key, CancellationToken.None).WaitAsync(Patience);

    /// <summary>Completes when this node sees <paramref name="count"/> members that are up.</summary>
    public Task UpAsync(int count)
    {
        var up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        System.ActorOf(Props.Create(() => new MemberCounter(count, up)));
        return up.Task.WaitAsync(Patience);
    }

    /// <summary>An actor whose messages can be awaited.</summary>
    public (IActorRef Actor, ChannelReader<object> Messages) Collect(string? name = null)
    {
        var channel = Channel.CreateUnbounded<object>();
        return (System.ActorOf(Props.Create(() => new Collector(channel.Writer)), name), channel.Reader);
    }

    /// <summary>The log of this node from now on.</summary>
    public ChannelReader<object> Log()
    {
        var (actor, messages) = Collect();
        System.EventStream.Subscribe(actor, typeof(Akka.Event.LogEvent));
        return messages;
    }

    public async ValueTask DisposeAsync()
    {
        await System.Terminate();
        _ledger?.Dispose();
        Key.Dispose();
    }

    private sealed class Collector : ReceiveActor
    {
        public Collector(ChannelWriter<object> messages) => ReceiveAny(message => messages.TryWrite(message));
    }

    private sealed class MemberCounter : ReceiveActor
    {
        private readonly HashSet<UniqueAddress> _up = [];

        public MemberCounter(int count, TaskCompletionSource up)
        {
            Cluster.Get(Context.System).Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.MemberUp));
            Receive<ClusterEvent.MemberUp>(member =>
            {
                if (_up.Add(member.Member.UniqueAddress) && _up.Count == count)
                {
                    up.SetResult();
                    Context.Stop(Self);
                }
            });
        }
    }
}
