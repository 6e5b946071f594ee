using System.Collections.Immutable;
using System.Security.Cryptography;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>
/// One session of a real model over real shards, on one thread and a clock of its own, with a network that loses, doubles, delays and
/// reorders messages and devices that die, come back and leave: all drawn from one seed. Faults are so many and no more, and every device
/// comes back, so every schedule must end with the answer.
/// </summary>
internal sealed class FaultyCluster
{
    private const int MostEvents = 200_000;
    private const int FirstJudge = 20;
    private const int FirstPort = 1000;

    private static readonly DeviceKey[] Keys = [.. Enumerable.Range(0, 30).Select(number => DeviceKey.Of(SHA256.HashData([(byte)number])))];

    private static readonly LayerRange[][] Layouts =
    [
        [new(0, 3), new(3, 5), new(5, 7), new(0, 3), new(3, 5), new(5, 7)],
        [new(0, 3), new(3, 5), new(5, 7)],
        [new(0, 3), new(3, 7), new(0, 5), new(5, 7)],
        [new(0, 1), new(1, 4), new(4, 6), new(6, 7), new(1, 6)],
        [new(0, 7), new(0, 4), new(4, 7)],
    ];

    private readonly Random _random;
    private readonly IReadOnlyDictionary<LayerRange, TransformerShard> _shards;
    private readonly ComputeTeam _team;
    private readonly ServedModel _model;
    private readonly GenerationPlan _plan;
    private readonly GenerationState _state;
    private readonly List<Device> _devices = [];
    private readonly Dictionary<LayerRange, Device> _judges = [];
    private readonly PriorityQueue<Action, (TimeSpan, long)> _events = new();
    private readonly Dictionary<(IActorRef, IActorRef), TimeSpan> _lastOnLink = [];
    private readonly NamedRef _pipeline = new("pipeline", Node(99));
    private readonly SortedDictionary<string, int> _faultsByKind = [];
    private readonly double _faultRate;
    private readonly Random _seals;
    private readonly List<(IActorRef From, UnitSigned Message)> _signed = [];
    private readonly TrustTier _tier;
    private int _faults;
    private long _sequence;
    private TimeSpan _now;
    private TimeSpan? _check;
    private bool _isOver;

    public FaultyCluster(int seed, ServedModel model, IReadOnlyDictionary<LayerRange, TransformerShard> shards, ComputeTeam team, NodeLimits limits, int vocabulary, ImmutableArray<int> prompt, GenerationSettings settings, AnswerText answer, bool isScored, bool isAudited)
    {
        (_random, _model, _shards, _team, _seals) = (new Random(seed), model, shards, team, new Random(-seed));
        _faults = _random.Next(0, 13);
        _faultRate = _random.NextDouble() * 0.15;
        var isStrict = isAudited && _random.Next(2) == 0;

        // Of those who are trusted half is checked, so that they open the other half.
        _tier = isAudited && _random.Next(2) == 0 ? TrustTier.Full : TrustTier.Probation;

        // What is not kept for want of memory cannot be checked: an answer that has to be then fails.
        var memory = isStrict ? 2000 : _random.Next(3) == 0 ? 1.2 : 20;
        foreach (var (number, range) in Layouts[_random.Next(Layouts.Length)].Index())
        {
            _devices.Add(new Device(this, number, range, memory));
        }

        var route = RoutePlanner.Plan(View(), model).Route!;
        var audit = isAudited ? new AuditPlan(new TrustSettings { FullRate = 0.5 }, new DeviceId(new string('e', 32)), Nonce(), Nonce(), isStrict, CanJudge: true, 3 * shards.Values.First().Shape.HiddenSize * sizeof(float)) : null;
        foreach (var range in isAudited ? _devices.Select(device => device.Range).Distinct() : [])
        {
            _judges.Add(range, new Device(this, FirstJudge + _judges.Count, range, 50));
        }

        _plan = new GenerationPlan(PromptId.New(), Session(seed), model, vocabulary, route, prompt, settings, limits, default, ScorePrompt: isScored, Audit: audit);
        _state = new GenerationState(_plan, answer);
    }

    /// <summary>The ranges that a shard is needed of.</summary>
    public static IEnumerable<LayerRange> Ranges => Layouts.SelectMany(layout => layout).Distinct();

    /// <summary>What whoever asked was told.</summary>
    public List<IEvent> Told { get; } = [];

    /// <summary>What the gateway's log would say.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>What hops signed, without what was lost on its way.</summary>
    /// <exception cref="InvalidOperationException">A signature does not stand for a receipt and for those before it.</exception>
    public List<Receipt> Signed()
    {
        var receipts = new List<Receipt>();
        foreach (var hop in _signed.Distinct().GroupBy(each => (each.From, each.Message.Epoch)))
        {
            var device = _devices[hop.Key.From.Path.Address.Port!.Value - FirstPort];
            var (last, holds) = (default(Receipt), false);
            var terms = new SessionTerms(default, _plan.Session, _model.Model, _plan.Settings.Sampling, _plan.Terms?.Commitment ?? default);
            foreach (var (_, message) in hop.OrderBy(each => each.Message.Position))
            {
                var follows = last is not null && last.Position + last.Rows == message.Position;
                var signed = message.ReceiptOf(default, Keys[device.Number].Device, _model.Model, device.Range, follows ? last!.Hash : terms.Hash);
                var stands = DeviceKey.Verify(Keys[device.Number].PublicKey.Span, signed.Receipt.ToStatement(), signed.Signature.AsSpan());
                if (follows && holds && !stands)
                {
                    throw new InvalidOperationException($"The signature of {signed.Receipt} is none.");
                }

                (last, holds) = (signed.Receipt, stands);
                Standing += stands ? 1 : 0;
                receipts.Add(signed.Receipt);
            }
        }

        return receipts;
    }

    /// <summary>How many of them a signature stands for: for the others one before them is missing.</summary>
    public int Standing { get; private set; }

    /// <summary>How often each kind of fault happened to each kind of message.</summary>
    public IReadOnlyDictionary<string, int> Faults => _faultsByKind;

    /// <summary>How often somebody was asked to open what it keeps.</summary>
    public int Opened { get; private set; }

    /// <summary>Whether it ended before it began, for the gateway to try another route.</summary>
    public bool IsTurnedAway { get; private set; }

    /// <summary>How many epochs the session had.</summary>
    public int Epochs { get; private set; }

    /// <summary>Bytes of sessions that no device gave back.</summary>
    public long Left => _devices.Concat(_judges.Values).Sum(device => device.Budget.Reserved);

    /// <summary>Runs the session to its end, and what is under way then.</summary>
    public void Run()
    {
        Do(_state.Look(View(), _now));
        Do(_state.Start(_now));
        for (var misfortune = _random.Next(0, 4); misfortune > 0; misfortune--)
        {
            var device = _devices[_random.Next(_devices.Count)];
            var when = TimeSpan.FromMilliseconds(_random.Next(0, 150));
            At(when, _random.Next(5) switch { 0 => device.Leave, 1 => device.Disconnect, _ => device.Die });
        }

        for (var events = 0; _events.TryDequeue(out var next, out var due); events++)
        {
            if (events > MostEvents)
            {
                throw new InvalidOperationException($"It does not end: at {_now} it has told {Told.Count} events.");
            }

            _now = due.Item1;
            next();
        }

        foreach (var device in _devices.Concat(_judges.Values))
        {
            device.Shard?.Core.PipelineGone(_pipeline);
        }
    }

    /// <summary>What is chosen hangs on the session too: so that a seed says all.</summary>
    private static SessionId Session(int seed)
    {
        var bytes = new byte[16];
        new Random(~seed).NextBytes(bytes);
        return new SessionId(new Guid(bytes));
    }

    private Digest Nonce()
    {
        var bytes = new byte[Digest.Bytes];
        _random.NextBytes(bytes);
        return Digest.Read(bytes);
    }

    /// <summary>The judge is in the gateway's own process: nothing is lost on the way to it.</summary>
    private bool IsJudge(IActorRef shard) => _judges.Values.Any(judge => shard.Equals(judge.Shard!.Ref));

    private static Address Node(int number) => new("akka.tcp", "test", "127.0.0.1", FirstPort + number);

    private void At(TimeSpan wait, Action action) => _events.Enqueue(action, (_now + wait, _sequence++));

    private void Send(IActorRef from, IActorRef to, object message)
    {
        var delay = TimeSpan.FromTicks(_random.Next(2_000, 20_000));
        var isOrdered = true;
        var copies = 1;
        if (_faults > 0 && !_isOver && !IsJudge(from) && !IsJudge(to) && _random.NextDouble() < _faultRate)
        {
            _faults--;
            var kind = _random.Next(4);
            var name = $"{message.GetType().Name} {kind switch { 0 => "lost", 1 => "doubled", 2 => "delayed", _ => "reordered" }}";
            _faultsByKind[name] = _faultsByKind.GetValueOrDefault(name) + 1;
            switch (kind)
            {
                case 0:
                    return;
                case 1:
                    copies = 2;
                    break;
                case 2:
                    delay += TimeSpan.FromMilliseconds(_random.Next(1, 40_000));
                    isOrdered = false;
                    break;
                default:
                    delay = TimeSpan.FromMilliseconds(_random.Next(2, 60));
                    isOrdered = false;
                    break;
            }
        }

        for (; copies > 0; copies--)
        {
            var due = _now + delay;
            if (isOrdered)
            {
                var last = _lastOnLink.GetValueOrDefault((from, to));
                due = due > last ? due : last;
                _lastOnLink[(from, to)] = due;
            }

            At(due - _now, () => Deliver(from, to, message));
            delay += TimeSpan.FromMilliseconds(_random.Next(0, 100));
        }
    }

    private void Deliver(IActorRef from, IActorRef to, object message)
    {
        if (message is UnitSigned or ReceiptsSealed)
        {
            _signed.AddRange(message is UnitSigned signed ? [(from, signed)] : []);
            if (_plan.Audit is null)
            {
                return;
            }
        }

        if (to.Equals(_pipeline))
        {
            Do(_state.Hear((ISessionMessage)message, from, _now));
            return;
        }

        var core = _devices.Concat(_judges.Values).Select(device => device.Shard).FirstOrDefault(shard => shard is not null && shard.Ref.Equals(to))?.Core;
        switch (message)
        {
            case OpenSession open:
                core?.Open(open);
                break;
            case ResumeSession resume:
                core?.Resume(resume, from);
                break;
            case FeedTokens feed:
                core?.Feed(feed, from);
                break;
            case FeedHidden feed:
                core?.Feed(feed, from);
                break;
            case HiddenReceived credit:
                core?.Credit(credit, from);
                break;
            case CloseSession close:
                core?.Close(close, from);
                break;
            case SealReceipts seal:
                core?.Seal(seal, from);
                break;
            case FeedCache feed:
                core?.Feed(feed, from);
                break;
            case FetchKept or FetchCache:
                Opened += message is FetchCache ? 1 : 0;
                core?.Open((ISessionMessage)message, from);
                break;
            default:
                throw new InvalidOperationException($"{message.GetType().Name} goes to no shard.");
        }
    }

    private void Do(IReadOnlyList<PipelineCommand> commands)
    {
        foreach (var command in commands.ToArray())
        {
            switch (command)
            {
                case OpenHop open:
                    Epochs = Math.Max(Epochs, open.Epoch);
                    Send(_pipeline, open.Route.Hops[open.Hop].Shard, _plan.Open(open, _pipeline) with { Signed = true });
                    break;
                case ResumeRoute resume:
                    Send(_pipeline, _state.Route.Hops[0].Shard, resume.Message);
                    break;
                case FeedRoute feed:
                    Send(_pipeline, _state.Route.Hops[0].Shard, feed.Message);
                    if (_plan.Audit is null && _seals.Next(8) == 0)
                    {
                        Send(_pipeline, _state.Route.Hops[_seals.Next(_state.Route.Hops.Length)].Shard, new SealReceipts(_plan.Session, feed.Message.Epoch));
                    }

                    break;
                case CloseHop close:
                    Send(_pipeline, close.Hop.Shard, new CloseSession(_plan.Session, close.Epoch));
                    break;
                case Note note:
                    Notes.Add($"{_now.TotalSeconds:0.000} {note.Text}");
                    break;
                case OpenCheck check:
                    Send(_pipeline, check.Run.Verifier.Shard, _plan.Open(check, _pipeline));
                    break;
                case TellShard tell:
                    Send(_pipeline, tell.Shard, tell.Message);
                    break;
                case LendJudge lend:
                    At(TimeSpan.FromMilliseconds(1), () => Do(_state.Judge(new JudgeLent(lend.Range, _judges[lend.Range].Shard!.Ref, ""), _now)));
                    break;
                case ReportCheck { Facts.Outcome: CheckOutcome.Hard } check:
                    throw new InvalidOperationException($"Device {check.Device.Short} is accused: {check.Facts.Reason}");
                case TellClient tell:
                    Told.Add(tell.Event);
                    break;
                case EndPipeline end:
                    (_isOver, IsTurnedAway) = (true, end.Refusal is not null);
                    break;
                default:
                    break;
            }
        }

        if (_state.Wake is { } deadline && (_check is null || deadline < _check))
        {
            _check = deadline;
            At(deadline > _now ? deadline - _now : TimeSpan.Zero, Check);
        }
    }

    private void Check()
    {
        if (_check > _now)
        {
            return;
        }

        _check = null;
        Do(_state.Wake <= _now ? _state.DeadlinePassed(_now) : []);
    }

    private void Look() => Do(_state.Look(View(), _now));

    private ClusterView View()
    {
        var seen = _devices.Where(device => device.IsSeen).ToArray();
        return ClusterView.Empty(Node(99)) with
        {
            Members = [.. seen.Select(device => new NodeView(Node(device.Number), [], MemberStatus.Up, true, "1"))],
            Devices = [.. seen.Select(device => new DeviceAnnouncement(
                Keys[device.Number].Device, "", Node(device.Number), ActorRefs.Nobody, 1, 1, [],
                device.Announced is { } shard ? [new LoadedRange(_model.Model, device.Range, shard, 1)] : [], false, 1)
            {
                PublicKey = Keys[device.Number].PublicKey,
            })],
            Standings = _devices.ToImmutableDictionary(device => Keys[device.Number].Device, device => new DeviceStanding(Keys[device.Number].Device, _tier, _tier, 0, 1, Node(99))),
        };
    }

    /// <summary>A device that serves one range while it lives.</summary>
    private sealed class Device
    {
        private readonly FaultyCluster _cluster;
        private readonly double _memory;
        private int _life;

        public Device(FaultyCluster cluster, int number, LayerRange range, double memory)
        {
            (_cluster, Number, Range, _memory, Budget) = (cluster, number, range, memory, new CacheBudget(0));
            Load();
            Announced = Shard!.Ref;
        }

        public int Number { get; }

        public LayerRange Range { get; }

        public CacheBudget Budget { get; private set; }

        public Running? Shard { get; private set; }

        public IActorRef? Announced { get; private set; }

        public bool IsSeen { get; private set; } = true;

        public void Die()
        {
            if (_cluster._isOver || Shard is not { } shard)
            {
                return;
            }

            var random = _cluster._random;
            Shard = null;
            Budget = new CacheBudget(0);
            switch (random.Next(3))
            {
                case 0:
                    _cluster.At(TimeSpan.FromMilliseconds(random.Next(0, 50)), () => _cluster.Do(_cluster._state.HopGone(shard.Ref, _cluster._now)));
                    break;
                case 1:
                    _cluster.At(TimeSpan.FromMilliseconds(random.Next(0, 5)), () => _cluster.Do(_cluster._state.Disconnected(Node(Number), _cluster._now)));
                    break;
                default:
                    break;
            }

            _cluster.At(TimeSpan.FromMilliseconds(random.Next(20, 5_000)), () =>
            {
                (IsSeen, Announced) = (false, null);
                _cluster.Look();
                _cluster.At(TimeSpan.FromMilliseconds(random.Next(10, 10_000)), Return);
            });
        }

        /// <summary>A connection breaks and the device is there.</summary>
        public void Disconnect()
        {
            if (_cluster._random.Next(2) == 0)
            {
                _cluster.Do(_cluster._state.Disconnected(Node(Number), _cluster._now));
            }

            foreach (var other in _cluster._devices)
            {
                other.Shard?.Core.Disconnected(Node(Number));
            }
        }

        public void Leave()
        {
            if (_cluster._isOver || Shard is not { } shard)
            {
                return;
            }

            Announced = null;
            shard.Core.Drain();
            _cluster.Look();

            // Its time is over: what has not moved is lost.
            _cluster.At(TimeSpan.FromMilliseconds(_cluster._random.Next(500, 5_000)), () =>
            {
                if (ReferenceEquals(Shard, shard))
                {
                    Die();
                }
            });
        }

        private void Return()
        {
            Load();
            (IsSeen, Announced) = (true, Shard!.Ref);
            _cluster.Look();
        }

        private void Load()
        {
            var shard = _cluster._shards[Range];
            Budget = new CacheBudget((long)(SessionTable.BytesFor(shard.Shape, Range, 64) * _memory));
            Shard = new Running(_cluster, new NamedRef($"shard-{++_life}", Node(Number)), shard, Budget, Keys[Number]);
        }
    }

    /// <summary>A loaded range: a shard's core whose world is the schedule.</summary>
    private sealed class Running : IShardOutlet
    {
        private readonly FaultyCluster _cluster;

        public Running(FaultyCluster cluster, NamedRef self, TransformerShard shard, CacheBudget budget, DeviceKey key)
        {
            (_cluster, Ref) = (cluster, self);
            var batch = new ShardBatch(shard, 8, () => { });
            Core = new ShardCore(shard, new SessionTable(cluster._model.Model, shard.Shape, shard.Range, 4, budget, key), batch, 3 * shard.Shape.HiddenSize * sizeof(float), this);
        }

        public NamedRef Ref { get; }

        public ShardCore Core { get; }

        public TimeSpan Now => _cluster._now;

        public void Send(IActorRef receiver, object message) => _cluster.Send(Ref, receiver, message);

        public void Watch(IActorRef pipeline)
        {
        }

        public void Unwatch(IActorRef pipeline)
        {
        }

        public bool TryCompute(IComputeJob batch)
        {
            _cluster.At(TimeSpan.FromTicks(_cluster._random.Next(5_000, 60_000)), () =>
            {
                if (_cluster._devices.Concat(_cluster._judges.Values).Any(device => ReferenceEquals(device.Shard, this)))
                {
                    batch.Run(_cluster._team);
                    Core.BatchDone();
                }
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
