using System.Collections.Immutable;
using System.Security.Cryptography;
using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>Shards of a model on one thread, and what their pipeline hears. Messages arrive in the order in which they were sent; a batch computes behind those.</summary>
internal sealed class CheckedCluster(IModelSource source) : IDisposable
{
    private readonly Queue<Action> _events = new();
    private readonly List<Stage> _stages = [];
    private readonly List<ISessionMessage> _heard = [];
    private readonly Dictionary<SessionId, List<ISessionMessage>> _heardOf = [];

    public NamedRef Pipeline { get; init; } = new("pipeline");

    public NamedRef Stranger { get; } = new("stranger");

    public IReadOnlyList<ISessionMessage> Heard => _heard;

    /// <summary>Told of what the pipeline hears, with who sent it.</summary>
    public Action<ISessionMessage, IActorRef>? Hears { get; init; }

    /// <summary>What the pipeline hears instead of a message that a stage sends it; the message where null.</summary>
    public Func<Stage, ISessionMessage, IEnumerable<ISessionMessage>>? Tampers { get; init; }

    /// <summary>Gives what a stage computes with, which stays the giver's: no two clusters at once may have the same. Each stage loads its own where null.</summary>
    public Func<LayerRange, Saboteur?, TransformerShard>? Shards { get; init; }

    /// <summary>Most bytes of a message with more than one row.</summary>
    public int MessageBytes { get; init; } = ProtocolLimits.ActivationBytes;

    public static Digest Key { get; } = Digest.Of([1, 2, 3]);

    /// <summary>One that serves a range. Of the same key number is the same device; each has its own where null.</summary>
    public Stage Add(LayerRange range, int threads = 1, int batchRows = 512, bool hasKey = true, Saboteur? saboteur = null, int? key = null)
    {
        var stage = new Stage(this, source, range, threads, batchRows, _stages.Count, key, hasKey, saboteur, MessageBytes);
        _stages.Add(stage);
        return stage;
    }

    /// <summary>Devices for each hop of a route that is cut at these units.</summary>
    public Stage[] AddRoute(params int[] cuts)
    {
        int[] bounds = [0, .. cuts, source.Shape.Units];
        return [.. bounds.Zip(bounds.Skip(1), (first, end) => Add(new LayerRange(first, end)))];
    }

    public void Tell(Stage stage, ISessionMessage message, NamedRef? sender = null) => Send(sender ?? Pipeline, stage.Ref, message);

    /// <summary>From the pipeline to whoever a reference names.</summary>
    public void Tell(IActorRef shard, ISessionMessage message) => Send(Pipeline, shard, message);

    /// <summary>Behind what is under way.</summary>
    public void Later(Action action) => _events.Enqueue(action);

    /// <summary>Until nothing is under way.</summary>
    public void Run()
    {
        while (_events.TryDequeue(out var next))
        {
            next();
        }
    }

    /// <summary>Opens a session over a route.</summary>
    public Served Open(Stage[] stages, SamplingSettings? sampling = null, int limit = 200, bool isSigned = true, SequenceOutput output = SequenceOutput.None)
    {
        var served = new Served(this, SessionId.New(), sampling ?? SamplingSettings.Greedy, limit, isSigned, output);
        served.Open(stages, 1);
        return served;
    }

    /// <summary>What of a type was heard about a session.</summary>
    public IEnumerable<T> Of<T>(SessionId session)
        where T : ISessionMessage => _heardOf.TryGetValue(session, out var heard) ? heard.OfType<T>() : [];

    /// <summary>Forgets what was heard.</summary>
    public void Forget()
    {
        _heard.Clear();
        _heardOf.Clear();
    }

    public void Dispose()
    {
        foreach (var stage in _stages)
        {
            stage.Dispose();
        }
    }

    private void Send(IActorRef from, IActorRef to, object message) => _events.Enqueue(() => Deliver(from, to, message));

    private void Deliver(IActorRef from, IActorRef to, object message)
    {
        if (to.Equals(Pipeline))
        {
            var said = (ISessionMessage)message;
            foreach (var each in Tampers is null || Find(from) is not { } teller ? [said] : Tampers(teller, said))
            {
                Hear(each, from);
            }

            return;
        }

        var stage = Find(to);
        var core = stage?.Core;
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
            case SealReceipts seal when stage?.Saboteur?.ToSigning() == ChallengeReply.Forget:
                core?.Lose(seal, from);
                break;
            case SealReceipts seal:
                core?.Seal(seal, from);
                break;
            case FeedCache feed:
                core?.Feed(feed, from);
                break;
            case FetchKept or FetchCache:
                Open(stage, (ISessionMessage)message, from);
                break;
            case CloseSession close:
                core?.Close(close, from);
                break;
            default:
                throw new InvalidOperationException($"{message.GetType().Name} goes to no shard.");
        }
    }

    private Stage? Find(IActorRef shard) => _stages.Find(stage => stage.Ref.Equals(shard));

    private void Hear(ISessionMessage message, IActorRef from)
    {
        _heard.Add(message);
        if (!_heardOf.TryGetValue(message.Session, out var heard))
        {
            _heardOf.Add(message.Session, heard = []);
        }

        heard.Add(message);
        Hears?.Invoke(message, from);
    }

    /// <summary>No clock runs here: what comes late does not come.</summary>
    private static void Open(Stage? stage, ISessionMessage fetch, IActorRef from)
    {
        switch (stage?.Saboteur?.ToOpening())
        {
            case ChallengeReply.Refuse:
                stage.Core.Refuse(fetch, from);
                break;
            case ChallengeReply.Forget:
                stage.Core.Lose(fetch, from);
                break;
            case ChallengeReply.Late:
                break;
            default:
                stage?.Core.Open(fetch, from);
                break;
        }
    }

    /// <summary>One generation, and the checks of it.</summary>
    internal sealed class Served(CheckedCluster cluster, SessionId id, SamplingSettings sampling, int limit, bool isSigned, SequenceOutput output)
    {
        public SessionId Id { get; } = id;

        /// <summary>The prompt and what was drawn; the last one was not computed on.</summary>
        public List<int> Tokens { get; } = [];

        public Stage[] Stages { get; private set; } = [];

        public int Epoch { get; private set; }

        /// <summary>The first position after which a token was drawn in this epoch.</summary>
        public int DrawFrom { get; private set; }

        public Route Route => new(TestSessions.Model, [.. Stages.Select(stage => new Hop(stage.Device, stage.Range, stage.Ref))]);

        /// <summary>What the hops are asked for.</summary>
        public SessionTerms Terms { get; } = new(default, id, TestSessions.Model, sampling, default);

        /// <summary>What a hop of the route signed in an epoch, in this one when that is null.</summary>
        public IEnumerable<SignedReceipt> Receipts(int hop, int? epoch = null)
        {
            var previous = Terms.Hash;
            foreach (var message in cluster.Of<UnitSigned>(Id).Where(signed => signed.HopIndex == hop && signed.Epoch == (epoch ?? Epoch)))
            {
                var signed = message.ReceiptOf(Terms.Cluster, Stages[hop].Device, TestSessions.Model, Stages[hop].Range, previous);
                previous = signed.Receipt.Hash;
                yield return signed;
            }
        }

        public void Open(Stage[] stages, int epoch)
        {
            (Stages, Epoch) = (stages, epoch);
            for (var hop = 0; hop < stages.Length; hop++)
            {
                cluster.Tell(stages[hop], new OpenSession(Id, epoch, Route, hop, limit, sampling, cluster.Pipeline, output, Signed: isSigned));
            }

            cluster.Run();
            Assert.True(stages.Length == cluster.Of<SessionOpened>(Id).Count(opened => opened.Epoch == epoch), string.Join("\n", cluster.Heard.TakeLast(3)));
        }

        /// <summary>Goes on in another route, each hop at its place.</summary>
        public void Resume(Stage[] stages, params int[] starts)
        {
            Open(stages, Epoch + 1);
            cluster.Tell(stages[0], new ResumeSession(Id, Epoch, [.. starts], Tokens.Count));
            DrawFrom = Tokens.Count - 1;
            cluster.Run();
        }

        /// <summary>Computes a prompt in chunks, and draws.</summary>
        public void Prefill(IReadOnlyList<int> prompt, int chunk, bool runs = true)
        {
            Tokens.AddRange(prompt);
            DrawFrom = Tokens.Count - 1;
            for (var position = 0; position < prompt.Count; position += chunk)
            {
                Feed(position, Math.Min(chunk, prompt.Count - position), position + chunk >= prompt.Count);
            }

            if (runs)
            {
                cluster.Run();
                Take();
            }
        }

        /// <summary>Computes on, one token after the other.</summary>
        public void Decode(int count)
        {
            for (; count > 0; count--)
            {
                Step();
                cluster.Run();
                Take();
            }
        }

        /// <summary>Feeds the last token.</summary>
        public void Step() => Feed(Tokens.Count - 1, 1, true);

        /// <summary>Feeds tokens that are known.</summary>
        public void Feed(int position, int count, bool sample)
            => cluster.Tell(Stages[0], new FeedTokens(Id, Epoch, position, [.. Tokens.Skip(position).Take(count)], sample));

        /// <summary>Takes the token that was drawn.</summary>
        public void Take()
        {
            var drawn = cluster.Of<TokenSampled>(Id).Last();
            Assert.Equal(Tokens.Count, drawn.Position);
            Tokens.Add(drawn.Choice.Id);
        }

        public void Seal()
        {
            foreach (var stage in Stages)
            {
                cluster.Tell(stage, new SealReceipts(Id, Epoch));
            }

            cluster.Run();
            Assert.Equal(Stages.Length, cluster.Of<ReceiptsSealed>(Id).Count(message => message.Epoch == Epoch && message.Length == Tokens.Count - 1));
        }

        /// <summary>What a hop gave, as it says itself.</summary>
        public float[] Kept(int hop, int position, int rows)
        {
            var before = cluster.Of<KeptRows>(Id).Count();
            cluster.Tell(Stages[hop], new FetchKept(Id, Epoch, position, rows));
            cluster.Run();
            var kept = cluster.Of<KeptRows>(Id).Skip(before).Single();
            Assert.Equal((hop, position, rows), (kept.HopIndex, kept.Position, kept.Rows));
            return kept.Hidden.ToArray();
        }

        /// <summary>The answers of one that recomputes a hop in steps, each of which ends a unit or not.</summary>
        public UnitRecomputed[] Check(int hop, Stage verifier, IEnumerable<(int Position, int Rows, bool Ends)> steps, Digest? key = null)
        {
            var hops = Route.Hops.SetItem(hop, new Hop(verifier.Device, verifier.Range, verifier.Ref));
            var check = SessionId.New();
            cluster.Tell(verifier, new OpenSession(
                check, 1, new Route(TestSessions.Model, hops), hop, limit, sampling, cluster.Pipeline, output, Audit: new AuditOrder(key ?? Key, DrawFrom)));
            foreach (var (position, rows, ends) in steps)
            {
                if (hop == 0)
                {
                    cluster.Tell(verifier, new FeedTokens(check, 1, position, [.. Tokens.Skip(position).Take(rows)], ends));
                }
                else
                {
                    var hidden = Kept(hop - 1, position, rows);
                    cluster.Tell(verifier, new FeedHidden(check, 1, position, rows, ends, hidden, []));
                    cluster.Run();
                    Assert.Contains(cluster.Of<HiddenReceived>(check), credit => credit.Position == position);
                }

                if (ends)
                {
                    cluster.Tell(verifier, new SealReceipts(check, 1));
                }
            }

            cluster.Run();
            Assert.Empty(cluster.Of<StepFailed>(check));
            Assert.Empty(cluster.Of<SessionRefused>(check));
            Assert.Empty(cluster.Of<TokenSampled>(check));
            cluster.Tell(verifier, new CloseSession(check, 1));
            cluster.Run();
            return [.. cluster.Of<UnitRecomputed>(check)];
        }

        /// <summary>The receipts of a hop that one which recomputes it finds wrong.</summary>
        public List<SignedReceipt> Wrong(int hop, Stage verifier)
        {
            var receipts = Receipts(hop).ToArray();
            var before = receipts[0].Receipt.Position;
            var steps = Enumerable.Range(0, (before + 15) / 16).Select(unit => (unit * 16, Math.Min(16, before - (unit * 16)), true))
                .Concat(receipts.Select(signed => (signed.Receipt.Position, signed.Receipt.Rows, true)));
            var answers = Check(hop, verifier, steps).Where(answer => answer.Position >= before).ToArray();
            Assert.Equal(receipts.Select(signed => (signed.Receipt.Position, signed.Receipt.Rows, hop)), answers.Select(answer => (answer.Position, answer.Rows, answer.HopIndex)));
            return [.. receipts.Where((signed, i) => PositionDigest.OfAnswer(Key, signed.Receipt.OutRoot, signed.Receipt.KvRoot) != answers[i].Answer)];
        }
    }

    /// <summary>A device that serves one range.</summary>
    internal sealed class Stage : IShardOutlet, IDisposable
    {
        private readonly CheckedCluster _cluster;
        private readonly TransformerShard _shard;
        private readonly bool _isLent;
        private readonly ComputeTeam _team;
        private readonly DeviceKey _key;

        public Stage(CheckedCluster cluster, IModelSource source, LayerRange range, int threads, int batchRows, int number, int? key, bool hasKey, Saboteur? saboteur, int messageBytes)
        {
            (_cluster, Range, Saboteur) = (cluster, range, saboteur);

            // The same keys each time: who serves and who checks follows from them.
            _key = DeviceKey.Of(SHA256.HashData([(byte)(key ?? number)]));
            Ref = new NamedRef($"shard-{number}", new Address("akka.tcp", "test", "127.0.0.1", 2000 + number));
            _isLent = cluster.Shards is not null;
            _shard = cluster.Shards?.Invoke(range, saboteur) ?? TransformerShard.Load(WarpedSource.Of(source, saboteur), range);
            _team = new ComputeTeam(threads);
            var sabotage = Sabotage.Of(saboteur, _shard);
            Core = new ShardCore(
                _shard,
                new SessionTable(TestSessions.Model, source.Shape, range, 80, Budget, hasKey ? _key : null),
                new ShardBatch(_shard, batchRows, () => { }, sabotage),
                messageBytes,
                this,
                sabotage);
        }

        public LayerRange Range { get; }

        public Saboteur? Saboteur { get; }

        public NamedRef Ref { get; }

        public DeviceId Device => _key.Device;

        public ReadOnlyMemory<byte> PublicKey => _key.PublicKey;

        /// <summary>What its key makes of a receipt.</summary>
        public SignedReceipt Sign(Receipt receipt) => new(receipt, [.. _key.Sign(receipt.ToStatement())]);

        /// <summary>An answer of a check as its key signs it.</summary>
        public UnitRecomputed Sign(UnitRecomputed answer) => answer with { Signature = [.. _key.Sign(answer.ToStatement(default))] };

        public CacheBudget Budget { get; } = new(1L << 30);

        public ShardCore Core { get; }

        public int Batches { get; private set; }

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
            _cluster._events.Enqueue(() =>
            {
                Batches++;
                batch.Run(_team);
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

        public void Dispose()
        {
            _team.Dispose();
            if (!_isLent)
            {
                _shard.Dispose();
            }

            _key.Dispose();
        }
    }
}
