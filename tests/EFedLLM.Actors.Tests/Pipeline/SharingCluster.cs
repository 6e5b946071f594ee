using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>
/// Sessions of one gateway over real shards, on one thread: now this message comes and now that one, drawn from a seed, but those of one link in order. Devices may die,
/// and what they kept with them; others of the same range then take their place.
/// </summary>
/// <param name="seed">What is drawn.</param>
/// <param name="model">The model.</param>
/// <param name="shards">A loaded shard for each range.</param>
/// <param name="team">Computes.</param>
/// <param name="limits">Chunks.</param>
internal sealed class SharingCluster(int seed, ServedModel model, IReadOnlyDictionary<LayerRange, TransformerShard> shards, ComputeTeam team, NodeLimits limits)
{
    private static readonly Address Gateway = new("akka.tcp", "test", "127.0.0.1", 99);

    private readonly Random _random = new(seed);
    private readonly ServedModel _model = model;
    private readonly IReadOnlyDictionary<LayerRange, TransformerShard> _shards = shards;
    private readonly ComputeTeam _team = team;
    private readonly List<Device> _devices = [];
    private readonly List<Running> _sessions = [];
    private readonly Dictionary<(IActorRef From, IActorRef To), Queue<Action>> _links = [];
    private readonly byte[] _secret = new byte[PrefixChain.SecretBytes];

    /// <summary>Bytes that no session and no kept page accounts for.</summary>
    public long Left => _devices.Sum(device => device.Budget.Reserved - device.Budget.Pages.Bytes);

    /// <summary>The most bytes of pages that a device kept.</summary>
    public long MostKept { get; private set; }

    /// <summary>Adds a device.</summary>
    /// <param name="range">What it serves.</param>
    /// <param name="positions">Its memory: what so many positions of sessions need.</param>
    /// <param name="share">The part of it for pages.</param>
    public void Add(LayerRange range, int positions, double share) => _devices.Add(new Device(this, _devices.Count, range, SessionTable.BytesFor(_shards[range].Shape, range, positions), share));

    /// <summary>Asks; the answer is complete when <see cref="Run"/> returns.</summary>
    public Running Ask(ImmutableArray<int> prompt, GenerationSettings settings, AnswerText answer, string tenant = "", bool isReusing = true)
    {
        var prefix = isReusing ? PrefixChain.Begin(_secret, tenant, _model.Model).With(prompt.AsSpan()[..^1]) : null;
        var route = RoutePlanner.Plan(View(), _model, session: SessionId.New()).Route!;
        var plan = new GenerationPlan(PromptId.New(), SessionId.New(), _model, _shards.Values.First().Shape.VocabularySize, route, prompt, settings, limits, default, Prefix: prefix);
        var session = new Running(this, plan, new GenerationState(plan, answer), _sessions.Count);
        _sessions.Add(session);
        session.Do(session.State.Look(View(), default));
        session.Do(session.State.Start(default));
        return session;
    }

    /// <summary>Delivers what is under way, and what comes of it, to the end; or so many messages.</summary>
    public void Run(int most = int.MaxValue)
    {
        for (; most > 0 && _links.Where(link => link.Value.Count > 0).Select(link => link.Value).ToArray() is { Length: > 0 } links; most--)
        {
            links[_random.Next(links.Length)].Dequeue()();
            foreach (var budget in _devices.Select(device => device.Budget))
            {
                MostKept = Math.Max(MostKept, budget.Pages.Bytes);
                if (budget.Reserved > budget.Total || budget.Pages.Bytes > budget.Reserved)
                {
                    throw new InvalidOperationException($"{budget.Reserved} of {budget.Total} bytes are reserved, {budget.Pages.Bytes} of them for pages.");
                }
            }
        }
    }

    /// <summary>A device dies, and everybody hears of it. It comes back at once, with an empty memory.</summary>
    public void Kill(int number)
    {
        var old = _devices[number];
        _devices[number] = new Device(this, number, old.Range, old.Budget.Total, old.Share);
        foreach (var session in _sessions.Where(session => !session.IsOver))
        {
            session.Do(session.State.Look(View(), default));
            session.Do(session.State.HopGone(old.Ref, default));
        }
    }

    private ClusterView View() => ClusterView.Empty(Gateway) with
    {
        Members = [.. _devices.Select(device => new NodeView(device.Ref.Path.Address, [], MemberStatus.Up, true, "1"))],
        Devices = [.. _devices.Select(device => new DeviceAnnouncement(
            TestSessions.Device(device.Number), "", device.Ref.Path.Address, ActorRefs.Nobody, 1, 1, [], [new LoadedRange(_model.Model, device.Range, device.Ref, 1)], false, 1))],
    };

    private void Send(IActorRef from, IActorRef to, object message) => Post((from, to), () => Deliver(from, to, message));

    private void Post((IActorRef, IActorRef) link, Action action)
    {
        if (!_links.TryGetValue(link, out var queue))
        {
            _links.Add(link, queue = new Queue<Action>());
        }

        queue.Enqueue(action);
    }

    private void Deliver(IActorRef from, IActorRef to, object message)
    {
        if (_sessions.Find(session => session.Pipeline.Equals(to)) is { } session)
        {
            session.Do(session.State.Hear((ISessionMessage)message, from, default));
        }
        else if (_devices.Find(device => device.Ref.Equals(to))?.Core is { } core)
        {
            switch (message)
            {
                case OpenSession open:
                    core.Open(open);
                    break;
                case ResumeSession resume:
                    core.Resume(resume, from);
                    break;
                case FeedTokens feed:
                    core.Feed(feed, from);
                    break;
                case FeedHidden feed:
                    core.Feed(feed, from);
                    break;
                case HiddenReceived credit:
                    core.Credit(credit, from);
                    break;
                case CloseSession close:
                    core.Close(close, from);
                    break;
                default:
                    throw new InvalidOperationException($"{message.GetType().Name} goes to no shard.");
            }
        }
    }

    /// <summary>One session and its answer.</summary>
    internal sealed class Running(SharingCluster cluster, GenerationPlan plan, GenerationState state, int number)
    {
        public GenerationPlan Plan => plan;

        public GenerationState State => state;

        public NamedRef Pipeline { get; } = new($"pipeline-{number}", Gateway);

        public bool IsOver { get; private set; }

        /// <summary>Why a device did not take it, where one did not.</summary>
        public HopRefusal? Refusal { get; private set; }

        /// <summary>Tokens that the first hop was fed.</summary>
        public int Fed { get; private set; }

        public List<IEvent> Told { get; } = [];

        public void Do(IReadOnlyList<PipelineCommand> commands)
        {
            foreach (var command in commands.ToArray())
            {
                switch (command)
                {
                    case OpenHop open:
                        cluster.Send(Pipeline, open.Route.Hops[open.Hop].Shard, plan.Open(open, Pipeline));
                        break;
                    case ResumeRoute resume:
                        cluster.Send(Pipeline, state.Route.Hops[0].Shard, resume.Message);
                        break;
                    case FeedRoute feed:
                        Fed += feed.Message.Tokens.Length;
                        cluster.Send(Pipeline, state.Route.Hops[0].Shard, feed.Message);
                        break;
                    case CloseHop close:
                        cluster.Send(Pipeline, close.Hop.Shard, new CloseSession(plan.Session, close.Epoch, close.Pages));
                        break;
                    case TellClient tell:
                        Told.Add(tell.Event);
                        break;
                    case EndPipeline end:
                        (IsOver, Refusal) = (true, end.Refusal);
                        break;
                    default:
                        break;
                }
            }
        }
    }

    /// <summary>A device that serves one range.</summary>
    private sealed class Device : IShardOutlet
    {
        private static int _lives;

        private readonly SharingCluster _cluster;

        public Device(SharingCluster cluster, int number, LayerRange range, long memory, double share)
        {
            (_cluster, Number, Range, Budget, Share) = (cluster, number, range, new CacheBudget(memory, share), share);
            Ref = new NamedRef($"shard-{Interlocked.Increment(ref _lives)}", new Address("akka.tcp", "test", "127.0.0.1", 1000 + number));
            var shard = cluster._shards[range];
            Core = new ShardCore(shard, new SessionTable(cluster._model.Model, shard.Shape, range, 8, Budget), new ShardBatch(shard, 100, () => { }), 3 * shard.Shape.HiddenSize * sizeof(float), this);
        }

        public int Number { get; }

        public LayerRange Range { get; }

        public CacheBudget Budget { get; }

        public double Share { get; }

        public NamedRef Ref { get; }

        public ShardCore Core { get; }

        public TimeSpan Now => default;

        public void Send(IActorRef receiver, object message) => _cluster.Send(Ref, receiver, message);

        public void Watch(IActorRef pipeline)
        {
        }

        public void Unwatch(IActorRef pipeline)
        {
        }

        public bool TryCompute(IComputeJob batch)
        {
            _cluster.Post((Ref, Ref), () =>
            {
                batch.Run(_cluster._team);
                Core.BatchDone();
            });
            return true;
        }

        public void Warn(SessionFailure failure)
        {
        }

        public void Drained()
        {
        }
    }
}
