using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Membership;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>As between nodes: every message goes through its wire form.</summary>
public sealed class WireLayerShardTests() : LayerShardTests(isSerialized: true);

/// <summary>As within a node: messages share memory with their senders.</summary>
public sealed class SharedMemoryLayerShardTests() : LayerShardTests(isSerialized: false);

/// <summary>Shards of a real model, spoken to message by message.</summary>
public abstract class LayerShardTests : TestKit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly int[] Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12];

    private readonly Checkpoint? _source = SharedModels.Root is null ? null : Checkpoint.Open(SharedModels.Model("stories260K"));
    private readonly ShardWorker _worker = new(1, 64);
    private readonly CacheBudget _budget = new(64 << 20);
    private readonly ManualResetEventSlim _released = new();
    private readonly TestProbe _host;

    protected LayerShardTests(bool isSerialized)
        : base(Settings(isSerialized)) => _host = CreateTestProbe();

    private static LayerRange Front { get; } = new(0, 3);

    private static LayerRange Back { get; } = new(3, 7);

    [SharedFact]
    public void Two_hops_draw_the_token_of_one_process_however_the_prompt_is_cut()
    {
        var expected = Local();
        foreach (var cut in (int[][])[[10], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [3, 4, 3]])
        {
            var opens = OpenAll(Shard(Front), Shard(Back));
            Feed(opens[0], 0, cut);
            Assert.Equal(expected, Drawn(opens[0]));
        }
    }

    [SharedFact]
    public void Doubled_late_and_reordered_steps_are_answered_with_what_the_hop_has_and_corrupt_nothing()
    {
        var expected = Local();
        var opens = OpenAll(Shard(Front), Shard(Back));
        var first = opens[0].Route.Hops[0].Shard;
        first.Tell(Step(opens[0], 4, 3), TestActor);
        Assert.Equal((0, 4, 0), Rejection());
        Feed(opens[0], 0, 4);
        first.Tell(Step(opens[0], 0, 4), TestActor);
        Assert.Equal((0, 0, 4), Rejection());
        first.Tell(Step(opens[0], 5, 2), TestActor);
        Assert.Equal((0, 5, 4), Rejection());
        first.Tell(Step(opens[0], 4, 3) with { Epoch = 9 }, TestActor);
        first.Tell(Step(opens[0], 4, 3), CreateTestProbe());

        // A forged step to the second hop, from somebody who is not the first.
        opens[0].Route.Hops[1].Shard.Tell(new FeedHidden(opens[0].Session, 1, 4, 1, true, new float[64], [1]), TestActor);
        Feed(opens[0], 4, 3, 3);
        Assert.Equal(expected, Drawn(opens[0]));
    }

    [SharedFact]
    public void An_activation_that_is_no_number_fails_its_own_session_in_a_batch_of_others()
    {
        var front = CreateTestProbe();
        var back = Shard(Back);
        var activations = FrontActivations();
        var opens = Enumerable.Range(0, 5).Select(_ => Opened(back, 1, front, back)).ToArray();
        var answers = new Dictionary<SessionId, ISessionMessage>();
        using (Held())
        {
            for (var session = 0; session < 5; session++)
            {
                var hidden = activations.ToArray();
                hidden[200] = session switch
                {
                    2 => float.NaN,
                    3 => float.NegativeInfinity,
                    _ => hidden[200],
                };
                back.Tell(new FeedHidden(opens[session].Session, 1, 0, Prompt.Length, true, hidden, [7]), front);
            }

            // What is no number is not computed at all.
            foreach (var _ in (int[])[2, 3])
            {
                var refused = ExpectMsg<StepFailed>(Patience);
                answers.Add(refused.Session, refused);
            }

            // The first goes alone; the others, which are there when it is done, go together.
            Settle(opens[0]);
        }

        while (answers.Count < 5)
        {
            var answer = ExpectMsg<ISessionMessage>(Patience);
            answers.Add(answer.Session, answer);
        }

        foreach (var session in (int[])[2, 3])
        {
            Assert.Contains("not finite", Assert.IsType<StepFailed>(answers[opens[session].Session]).Message, StringComparison.Ordinal);
        }

        foreach (var session in (int[])[0, 1, 4])
        {
            var drawn = Assert.IsType<TokenSampled>(answers[opens[session].Session]);
            Assert.Equal(Local(), (drawn.Choice.Id, drawn.Choice.Logprob));
            Assert.Equal((Prompt.Length, 7, 2), (drawn.Position, drawn.HopMicroseconds[0], drawn.HopMicroseconds.Length));
        }
    }

    [SharedFact]
    public void No_more_messages_are_under_way_to_the_next_hop_than_it_gave_credit_for()
    {
        var next = CreateTestProbe();
        var front = Shard(Front);
        var open = Opened(front, 0, front, next);
        for (var position = 0; position < 60; position += 10)
        {
            front.Tell(new FeedTokens(open.Session, 1, position, [.. Prompt], false), TestActor);
            if (position < 40)
            {
                Assert.Equal((position, 10), next.ExpectMsg<FeedHidden>(Patience) is var sent ? (sent.Position, sent.Rows) : default);
            }
        }

        next.ExpectNoMsg(TimeSpan.FromMilliseconds(200));
        front.Tell(new HiddenReceived(open.Session, 1, 30), next);
        front.Tell(new HiddenReceived(open.Session, 1, 0), CreateTestProbe());
        next.ExpectNoMsg(TimeSpan.FromMilliseconds(200));
        front.Tell(new HiddenReceived(open.Session, 1, 0), next);
        Assert.Equal(40, next.ExpectMsg<FeedHidden>(Patience).Position);
        next.ExpectNoMsg(TimeSpan.FromMilliseconds(200));
        front.Tell(new HiddenReceived(open.Session, 1, 10), next);
        Assert.Equal(50, next.ExpectMsg<FeedHidden>(Patience).Position);
    }

    [SharedFact]
    public void A_large_result_travels_in_messages_of_bounded_size_and_its_time_counts_once()
    {
        var next = CreateTestProbe();
        var front = Shard(Front);
        var open = Opened(front, 0, front, next, limit: 400);
        front.Tell(new FeedTokens(open.Session, 1, 0, [.. Enumerable.Repeat(5, 400)], true), TestActor);
        FeedHidden[] sent = [next.ExpectMsg<FeedHidden>(Patience), next.ExpectMsg<FeedHidden>(Patience), next.ExpectMsg<FeedHidden>(Patience)];
        Assert.Equal([(0, 192, false), (192, 192, false), (384, 16, true)], sent.Select(message => (message.Position, message.Rows, message.Sample)));
        Assert.Equal([false, true, true], sent.Select(message => message.HopMicroseconds[0] == 0));
    }

    [SharedFact]
    public void A_prompt_goes_in_parts_while_somebody_waits_for_a_next_token_and_else_at_once()
    {
        var time = new ManualTime();
        var (next, front) = (CreateTestProbe(), Shard(Front, time: time));
        var (talking, asking, alone) = (Opened(front, 0, front, next), Opened(front, 0, front, next, limit: 100), Opened(front, 0, front, next, limit: 100));
        front.Tell(new FeedTokens(talking.Session, 1, 0, [5], true), TestActor);
        Assert.Equal(talking.Session, next.ExpectMsg<FeedHidden>(Patience).Session);

        front.Tell(new FeedTokens(asking.Session, 1, 0, [.. Enumerable.Repeat(5, 100)], true), TestActor);
        Assert.Equal((asking.Session, 0, BatchPace.FirstRows), next.ExpectMsg<FeedHidden>(Patience) is var part ? (part.Session, part.Position, part.Rows) : default);

        time.Move(BatchPace.Patience);
        front.Tell(new CloseSession(asking.Session, 1), TestActor);
        front.Tell(new FeedTokens(alone.Session, 1, 0, [.. Enumerable.Repeat(5, 100)], true), TestActor);
        Assert.Equal(100, next.FishForMessage<FeedHidden>(message => message.Session == alone.Session, Patience).Rows);
    }

    [SharedFact]
    public void Where_sending_is_delayed_activations_are_and_what_else_is_said_is_not()
    {
        var (time, delay) = (new ManualTime(), TimeSpan.FromMilliseconds(50));
        var (next, front) = (CreateTestProbe(), Shard(Front, time: time, delay: delay));
        var open = Opened(front, 0, front, next);
        Feed(open, 0, 5);
        next.ExpectNoMsg(TimeSpan.FromMilliseconds(200));
        time.Move(delay - TimeSpan.FromMilliseconds(1));
        next.ExpectNoMsg(TimeSpan.FromMilliseconds(100));
        front.Tell(Step(open, 0, 5), TestActor);
        Assert.Equal((0, 0, 5), Rejection());
        time.Move(TimeSpan.FromMilliseconds(1));
        Assert.Equal((0, 5), next.ExpectMsg<FeedHidden>(Patience) is var sent ? (sent.Position, sent.Rows) : default);
    }

    [SharedFact]
    public void Where_sending_is_delayed_the_head_gives_credit_at_once_and_nothing_overtakes_its_token()
    {
        var (time, delay) = (new ManualTime(), TimeSpan.FromMilliseconds(50));
        var (previous, back) = (CreateTestProbe(), Shard(Back, time: time, delay: delay));
        var open = Opened(back, 1, previous, back);
        using (Held())
        {
            back.Tell(new FeedHidden(open.Session, 1, 0, Prompt.Length, true, FrontActivations(), [7]), previous);
            Assert.Equal(0, previous.ExpectMsg<HiddenReceived>(Patience).Position);
            back.Tell(new FeedHidden(open.Session, 1, 3, 1, true, new float[64], [7]), previous);
            Assert.Equal((1, 3, Prompt.Length), Rejection());
        }

        using var computed = new ManualResetEventSlim();
        Assert.True(_worker.TryEnqueue(new ComputeJob(_ => computed.Set())));
        Assert.True(computed.Wait(Patience));
        back.Tell(open, TestActor);
        ExpectNoMsg(TimeSpan.FromMilliseconds(200));
        time.Move(delay);
        Assert.Equal(Local(), ExpectMsg<TokenSampled>(Patience) is var drawn ? (drawn.Choice.Id, drawn.Choice.Logprob) : default);
        ExpectMsg<SessionOpened>(Patience);
    }

    [SharedFact]
    public void Activations_that_were_sent_are_never_written_again_nor_those_that_came_in()
    {
        var (next, front) = (CreateTestProbe(), Shard(Front));
        var open = Opened(front, 0, front, next);
        Feed(open, 0, 5);
        var sent = next.ExpectMsg<FeedHidden>(Patience);
        var before = sent.Hidden.ToArray();
        front.Tell(new HiddenReceived(open.Session, 1, 0), next);
        Feed(open, 5, 5);
        next.ExpectMsg<FeedHidden>(Patience);
        Assert.Equal(before, sent.Hidden.ToArray());

        var middle = Shard(new LayerRange(3, 5));
        var route = TestSessions.Route(TestSessions.Model, [Front, new(3, 5), new(5, 7)], [front, middle, next]);
        var inner = TestSessions.Open(route, 1, TestActor, limit: 64);
        middle.Tell(inner, TestActor);
        middle.Tell(new FeedHidden(inner.Session, 1, 0, 5, false, sent.Hidden, [1]), front);
        next.ExpectMsg<FeedHidden>(Patience);
        Assert.Equal(before, sent.Hidden.ToArray());
    }

    [SharedFact]
    public void Closing_dying_and_silence_give_the_memory_back()
    {
        var shard = Shard(Front, idle: TimeSpan.FromMilliseconds(400));
        var (next, pipeline) = (CreateTestProbe(), CreateTestProbe());
        var closed = Opened(shard, 0, shard, next);
        var orphan = Opened(shard, 0, shard, next, pipeline: pipeline);
        Assert.NotEqual(0, _budget.Reserved);
        using (Held())
        {
            // Closed while it is computed.
            shard.Tell(Step(closed, 0, 3), TestActor);
            shard.Tell(new CloseSession(closed.Session, 1), TestActor);
        }

        Sys.Stop(pipeline);
        AwaitCondition(() => _budget.Reserved == 0, Patience);

        var silent = Opened(shard, 0, shard, next);
        Assert.Equal(silent.Session, ExpectMsg<StepFailed>(Patience).Session);
        AwaitCondition(() => _budget.Reserved == 0, Patience);
        shard.Tell(Step(silent, 0, 3), TestActor);
        Assert.Equal((0, 0, 0), Rejection());
        Assert.NotEqual(orphan.Session, silent.Session);
    }

    [SharedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_device_that_does_not_open_what_it_gave_says_so_or_is_late(bool isLate)
    {
        var delay = TimeSpan.FromMilliseconds(300);
        var (next, front) = (CreateTestProbe(), Shard(Front, saboteur: isLate ? new Saboteur("late", new Late(delay)) : Saboteur.Parse("refuse-opening")));
        var open = Opened(front, 0, front, next);
        Feed(open, 0, 5);
        var sent = next.ExpectMsg<FeedHidden>(Patience);
        var start = Stopwatch.GetTimestamp();
        front.Tell(new FetchKept(open.Session, 1, 1, 3), TestActor);
        var kept = ExpectMsg<KeptRows>(Patience);
        Assert.Equal((0, 1, isLate ? 3 : 0), (kept.HopIndex, kept.Position, kept.Rows));
        Assert.Equal(isLate ? sent.Hidden[64..256].ToArray() : [], kept.Hidden.ToArray());
        Assert.True(!isLate || Stopwatch.GetElapsedTime(start) >= delay * 0.9);

        front.Tell(new FetchCache(open.Session, 1, 1, 0, 3), TestActor);
        var opened = ExpectMsg<CacheOpened>(Patience);
        Assert.Equal((0, 1, isLate ? 3 : 0, isLate ? 3 * opened.Width : 0), (opened.HopIndex, opened.Position, opened.Rows, opened.Values.Length));
        Assert.True(!isLate || Stopwatch.GetElapsedTime(start) >= delay * 1.9);
    }

    [SharedFact]
    public void What_a_shard_gave_is_given_again_and_signed_to_its_pipeline_alone()
    {
        using var key = DeviceKey.Create();
        var (next, front) = (CreateTestProbe(), Shard(Front, key: key));
        var open = TestSessions.Open(TestSessions.Route(TestSessions.Model, [Front, Back], [front, next]), 0, TestActor, limit: 64) with { Signed = true };
        front.Tell(open, TestActor);
        ExpectMsg<SessionOpened>(Patience);
        Feed(open, 0, 10);
        var sent = next.ExpectMsg<FeedHidden>(Patience);
        front.Tell(new FetchKept(open.Session, 1, 0, 10), next);
        front.Tell(new SealReceipts(open.Session, 1), next);
        front.Tell(new FetchKept(open.Session, 1, 0, 10), TestActor);
        front.Tell(new SealReceipts(open.Session, 1), TestActor);
        Assert.Equal(sent.Hidden.ToArray(), ExpectMsg<KeptRows>(Patience).Hidden.ToArray());
        var signed = ExpectMsg<UnitSigned>(Patience).ReceiptOf(default, key.Device, TestSessions.Model, Front, open.Terms.Hash);
        Assert.Equal((0, 10), (signed.Receipt.Position, signed.Receipt.Rows));
        Assert.True(DeviceKey.Verify(key.PublicKey.Span, signed.Receipt.ToStatement(), signed.Signature.AsSpan()));
        Assert.Equal(10, ExpectMsg<ReceiptsSealed>(Patience).Length);
        next.ExpectNoMsg(TimeSpan.FromMilliseconds(100));
    }

    [Fact]
    public void A_device_does_not_start_with_the_key_of_another_one()
    {
        using var key = DeviceKey.Create();
        var settings = new DeviceSettings { DeviceId = TestSessions.Device(1), Key = key, Name = "", ModelFolders = [], Limits = TestLimits.Reference, View = ActorRefs.Nobody };
        Assert.Throws<ArgumentException>(() => Sys.StartDevice(settings));
    }

    [SharedFact]
    public void A_shard_that_drains_says_when_it_is_empty_and_one_that_stops_gives_everything_back()
    {
        var shard = Shard(Front);
        var next = CreateTestProbe();
        var open = Opened(shard, 0, shard, next);
        _host.Send(shard, DrainShard.Instance);
        Assert.Equal(open.Session, ExpectMsg<SessionMoving>(Patience).Session);
        shard.Tell(open with { Session = SessionId.New() }, TestActor);
        Assert.Equal(RefusalReason.Leaving, ExpectMsg<SessionRefused>(Patience).Reason);
        _host.ExpectNoMsg(TimeSpan.FromMilliseconds(100));
        shard.Tell(new CloseSession(open.Session, 1), TestActor);
        Assert.Equal(shard, _host.ExpectMsg<ShardDrained>(Patience).Shard);

        var stopped = Shard(Front);
        var lost = Opened(stopped, 0, stopped, next);
        stopped.Tell(Step(lost, 0, 3), TestActor);
        Sys.Stop(stopped);
        Assert.True(_released.Wait(Patience));
        Assert.Equal(0, _budget.Reserved);
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        _worker.End(() => _source?.Dispose());
    }

    private static Config Settings(bool isSerialized) => ConfigurationFactory.ParseString($"""
        akka.actor.provider = local
        akka.actor.serialize-messages = {(isSerialized ? "on" : "off")}
        akka.loglevel = OFF
        akka.stdout-loglevel = OFF
        akka.loggers = []
        """)
        .WithFallback(NodeConfiguration.Build(new NodeSettings { Roles = [ClusterNames.Anchor], DataFolder = Path.GetTempPath() }, new Dictionary<string, string>()));

    private (int Token, float Logprob) Local()
    {
        using var team = new ComputeTeam(1);
        using var shard = TransformerShard.Load(_source!, LayerRange.Whole(_source!.Shape.Layers));
        using var cache = shard.CreateCache(Prompt.Length);
        var step = new ShardStep { Cache = cache, Count = Prompt.Length, Tokens = Prompt, LogitRows = 1, Logits = new float[512], Hidden = new float[Prompt.Length * 64] };
        shard.Forward([step], team);
        var choice = new Sampler().Draw(step.Logits.Span, SamplingSettings.Greedy, Prompt.Length);
        return (choice.Id, choice.Logprob);
    }

    private float[] FrontActivations()
    {
        using var team = new ComputeTeam(1);
        using var shard = TransformerShard.Load(_source!, Front);
        using var cache = shard.CreateCache(Prompt.Length);
        var step = new ShardStep { Cache = cache, Count = Prompt.Length, Tokens = Prompt, Hidden = new float[Prompt.Length * 64] };
        shard.Forward([step], team);
        return step.Hidden.ToArray();
    }

    private IActorRef Shard(LayerRange range, TimeSpan? idle = null, DeviceKey? key = null, Saboteur? saboteur = null, TimeProvider? time = null, TimeSpan delay = default)
    {
        var parts = new LayerShardParts(
            TestSessions.Model, TransformerShard.Load(_source!, range), _worker, _budget, 16, 512, idle ?? TimeSpan.FromMinutes(5), time ?? TimeProvider.System, () => _released.Set(), key, saboteur, SendDelay: delay);
        return _host.ChildActorOf(Props.Create(() => new LayerShard(parts)));
    }

    private OpenSession[] OpenAll(params IActorRef[] shards)
    {
        var session = SessionId.New();
        return [.. shards.Select((shard, hop) => Opened(shard, hop, shards[0], shards[1], session: session))];
    }

    private OpenSession Opened(IActorRef shard, int hop, IActorRef front, IActorRef back, int limit = 64, TestProbe? pipeline = null, SessionId? session = null)
    {
        var route = TestSessions.Route(TestSessions.Model, [Front, Back], [front, back]);
        var open = TestSessions.Open(route, hop, pipeline?.Ref ?? TestActor, session, limit: limit);
        shard.Tell(open, TestActor);
        var opened = pipeline is null ? ExpectMsg<SessionOpened>(Patience) : pipeline.ExpectMsg<SessionOpened>(Patience);
        Assert.Equal((open.Session, hop), (opened.Session, opened.HopIndex));
        return open;
    }

    private static FeedTokens Step(OpenSession open, int position, int count)
        => new(open.Session, 1, position, [.. Prompt.AsSpan(position, count)], position + count == Prompt.Length);

    private static void Feed(OpenSession open, int position, params int[] counts)
    {
        foreach (var count in counts)
        {
            open.Route.Hops[0].Shard.Tell(Step(open, position, count), open.Pipeline);
            position += count;
        }
    }

    private (int Token, float Logprob) Drawn(OpenSession open)
    {
        var drawn = FishForMessage<TokenSampled>(message => message.Session == open.Session, Patience);
        Assert.Equal(Prompt.Length, drawn.Position);
        return (drawn.Choice.Id, drawn.Choice.Logprob);
    }

    private (int Hop, int Position, int Length) Rejection()
    {
        var rejected = FishForMessage<StepRejected>(_ => true, Patience);
        return (rejected.HopIndex, rejected.Position, rejected.KvLength);
    }

    /// <summary>Waits until the shard has read everything sent to it.</summary>
    private void Settle(OpenSession open)
    {
        open.Route.Hops[open.HopIndex].Shard.Tell(open, TestActor);
        ExpectMsg<SessionOpened>(Patience);
    }

    /// <summary>Keeps the compute thread busy, so that what is sent meanwhile waits and becomes one batch.</summary>
    private Hold Held()
    {
        var hold = new Hold();
        Assert.True(_worker.TryEnqueue(new ComputeJob(_ => hold.Wait())));
        return hold;
    }

    private sealed class Late(TimeSpan delay) : IHopBehavior
    {
        public TimeSpan OpeningDelay => delay;
    }

    private sealed class Hold : IDisposable
    {
        private readonly ManualResetEventSlim _open = new();

        public void Wait() => _open.Wait();

        public void Dispose() => _open.Set();
    }
}
