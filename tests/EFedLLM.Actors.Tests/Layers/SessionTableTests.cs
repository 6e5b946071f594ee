using Akka.Actor;
using Akka.TestKit.Xunit2;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;
using static EFedLLM.Actors.Tests.Layers.TestSessions;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What a shard believes of a message, on the middle hop of three unless the test says otherwise.</summary>
public sealed class SessionTableTests : TestKit
{
    private readonly CacheBudget _budget = new(1 << 20);
    private readonly IActorRef _pipeline;
    private readonly Route _route;
    private readonly SessionTable _table;

    public SessionTableTests()
    {
        _pipeline = CreateTestProbe();
        _route = Route(Model, [First, Middle, Last], [CreateTestProbe(), CreateTestProbe(), CreateTestProbe()]);
        _table = Table(Middle);
    }

    private IActorRef Previous => _route.Hops[0].Shard;

    [Fact]
    public void A_session_that_is_open_is_opened_again_without_taking_memory_twice()
    {
        var open = Open(_route, 1, _pipeline);
        Assert.Equal(OpenOutcome.New, _table.Open(open, default).Outcome);
        Assert.Equal(OpenOutcome.Again, _table.Open(open, default).Outcome);
        Assert.Equal(SessionTable.BytesFor(Shape, Middle, open.TokenLimit), _budget.Reserved);
        Assert.Single(_table.Sessions);
    }

    [Fact]
    public void A_session_of_another_cluster_is_not_signed_and_so_not_served()
    {
        using var key = DeviceKey.Create();
        var (ours, theirs) = (ClusterId.Parse(new string('a', 64)), ClusterId.WithoutTls("efedllm"));
        var table = new SessionTable(Model, Shape, Middle, 4, _budget, key, ours);
        var open = Open(_route, 1, _pipeline) with { Signed = true, Cluster = theirs };
        var refused = table.Open(open, default);
        Assert.Equal((OpenOutcome.Refused, RefusalReason.Invalid), (refused.Outcome, refused.Reason));
        Assert.Equal($"the session is of cluster {theirs.Short}, and this device signs for {ours.Short} alone.", refused.Message);
        Assert.Equal(0, _budget.Reserved);
        Assert.Equal(OpenOutcome.New, table.Open(open with { Cluster = ours }, default).Outcome);

        // What is signed once is not asked for under other terms.
        Assert.Equal(OpenOutcome.Refused, table.Open(open with { Cluster = ours, Commitment = Digest.Of([1]) }, default).Outcome);
    }

    [Fact]
    public void Memory_for_all_that_comes_in_is_reserved_where_it_is_signed()
    {
        var (positions, row) = (100_000, Shape.HiddenSize * sizeof(float));
        var more = SessionTable.BytesFor(Shape, Middle, positions, isSigned: true) - SessionTable.BytesFor(Shape, Middle, positions);
        Assert.Equal(Math.Max(0, ((long)positions * row) - SessionTable.BytesAhead - (ProtocolLimits.HiddenCredit * (long)Math.Max(row, ProtocolLimits.ActivationBytes))), more);
        Assert.Equal(SessionTable.BytesFor(Shape, First, positions), SessionTable.BytesFor(Shape, First, positions, isSigned: true));
    }

    [Theory]
    [InlineData("signed")]
    [InlineData("check")]
    [InlineData("encoder")]
    [InlineData("scored")]
    [InlineData("too many")]
    [InlineData("no position left")]
    public void Pages_are_not_named_where_every_position_has_to_be_computed(string what)
    {
        using var key = DeviceKey.Create();
        var table = new SessionTable(Model, Shape with { ContextLength = 1 << 18 }, Middle, 4, _budget, key);
        var open = Open(_route, 1, _pipeline, limit: KvCache.PagePositions + 1) with { Prefix = [new PageKey(1, 2)] };
        var broken = what switch
        {
            "signed" => open with { Signed = true },
            "check" => open with { Audit = new AuditOrder(default, 0) },
            "encoder" => open with { Output = SequenceOutput.Mean },
            "scored" => open with { Scored = [1, 2] },
            "too many" => open with { Prefix = [.. new PageKey[ProtocolLimits.PrefixPages + 1]], TokenLimit = 1 << 18 },
            _ => open with { TokenLimit = KvCache.PagePositions },
        };
        var decision = table.Open(broken, default);
        Assert.Equal((OpenOutcome.Refused, RefusalReason.Invalid), (decision.Outcome, decision.Reason));
        Assert.Equal(0, _budget.Reserved);

        Assert.Equal(OpenOutcome.New, table.Open(open, default).Outcome);
        Assert.Equal(OpenOutcome.Again, table.Open(open, default).Outcome);
        Assert.Equal(OpenOutcome.Refused, table.Open(open with { Prefix = [new PageKey(1, 3)] }, default).Outcome);
    }

    [Fact]
    public void A_session_whose_first_tokens_may_be_known_takes_no_step_before_it_is_told_where_it_goes_on()
    {
        var shape = Shape with { ContextLength = 256 };
        var table = new SessionTable(Model, shape, First, 4, _budget);
        var open = Open(_route, 0, _pipeline, limit: 200) with { Prefix = [new PageKey(1, 2)] };
        Assert.Equal(OpenOutcome.New, table.Open(open, default).Outcome);
        Assert.Equal(FeedOutcome.Ignored, table.Feed(Tokens(open, 0, 1), _pipeline).Outcome);

        // It has nothing: who says so after it did is wrong.
        Assert.Equal(FeedOutcome.Failed, table.Resume(new ResumeSession(open.Session, 1, [64, 64, 64], 100), _pipeline).Outcome);
        Assert.Equal(FeedOutcome.Accepted, table.Resume(new ResumeSession(open.Session, 1, [0, 64, 0], 100), _pipeline).Outcome);
        Assert.Equal(FeedOutcome.Accepted, table.Feed(Tokens(open, 0, 1), _pipeline).Outcome);
    }

    [Fact]
    public void Pages_are_those_of_one_gateway_one_range_and_the_same_devices_before()
    {
        var open = Open(_route, 1, new NamedRef("pipeline-1", Address(1)));
        var scope = PrefixScope.Of(open);
        Assert.Equal(scope, PrefixScope.Of(Open(_route, 1, new NamedRef("pipeline-2", Address(1)))));
        Assert.Equal(scope, PrefixScope.Of(open with { Route = _route with { Hops = _route.Hops.SetItem(2, _route.Hops[2] with { Device = Device(9) }) } }));
        OpenSession[] others =
        [
            open with { Pipeline = new NamedRef("pipeline-1", Address(2)) },
            open with { Route = _route with { Hops = _route.Hops.SetItem(0, _route.Hops[0] with { Device = Device(9) }) } },
            open with { Route = _route with { Hops = _route.Hops.SetItem(0, _route.Hops[0] with { Range = new LayerRange(0, 1) }) } },
            open with { Route = _route with { Model = new ModelId(new string('b', 64)) } },
            open with { HopIndex = 0 },
        ];
        Assert.Equal(others.Length + 1, others.Select(PrefixScope.Of).Append(scope).Distinct().Count());

        static Address Address(int node) => new("akka.tcp", "test", "127.0.0.1", node);
    }

    [Theory]
    [InlineData("another model", RefusalReason.WrongRange)]
    [InlineData("another range", RefusalReason.WrongRange)]
    [InlineData("gap", RefusalReason.Invalid)]
    [InlineData("no end", RefusalReason.Invalid)]
    [InlineData("no hops", RefusalReason.Invalid)]
    [InlineData("hop index", RefusalReason.Invalid)]
    [InlineData("epoch 0", RefusalReason.Invalid)]
    [InlineData("no positions", RefusalReason.Invalid)]
    [InlineData("beyond the context", RefusalReason.Invalid)]
    [InlineData("temperature", RefusalReason.Invalid)]
    [InlineData("not a number", RefusalReason.Invalid)]
    public void A_session_that_makes_no_sense_here_is_refused_and_takes_no_memory(string what, RefusalReason reason)
    {
        var open = Open(_route, 1, _pipeline);
        var broken = what switch
        {
            "another model" => open with { Route = _route with { Model = new ModelId(new string('b', 64)) } },
            "another range" => open with { HopIndex = 0 },
            "gap" => open with { Route = _route with { Hops = _route.Hops.SetItem(1, _route.Hops[1] with { Range = new LayerRange(3, 4) }) } },
            "no end" => open with { Route = _route with { Hops = _route.Hops.RemoveAt(2) } },
            "no hops" => open with { Route = _route with { Hops = [] } },
            "hop index" => open with { HopIndex = 3 },
            "epoch 0" => open with { Epoch = 0 },
            "no positions" => open with { TokenLimit = 0 },
            "beyond the context" => open with { TokenLimit = Shape.ContextLength + 1 },
            "temperature" => open with { Sampling = new SamplingSettings { Temperature = 2.5f } },
            _ => open with { Sampling = new SamplingSettings { Temperature = float.NaN } },
        };
        var decision = _table.Open(broken, default);
        Assert.Equal((OpenOutcome.Refused, reason), (decision.Outcome, decision.Reason));
        Assert.NotEmpty(decision.Message);
        Assert.Equal(0, _budget.Reserved);
        Assert.Empty(_table.Sessions);
    }

    [Fact]
    public void Sessions_beyond_the_number_or_the_memory_are_refused_as_full()
    {
        var few = Table(Middle, maxSessions: 1);
        Assert.Equal(OpenOutcome.New, few.Open(Open(_route, 1, _pipeline), default).Outcome);
        Assert.Equal(RefusalReason.Full, few.Open(Open(_route, 1, _pipeline), default).Reason);

        var budget = new CacheBudget(SessionTable.BytesFor(Shape, Middle, 32));
        var little = new SessionTable(Model, Shape, Middle, 10, budget);
        Assert.Equal(OpenOutcome.New, little.Open(Open(_route, 1, _pipeline), default).Outcome);
        Assert.Equal(RefusalReason.Full, little.Open(Open(_route, 1, _pipeline, limit: 1), default).Reason);
        Assert.Equal(budget.Total, budget.Reserved);
    }

    [Fact]
    public void What_may_wait_for_a_session_is_reserved_with_its_cache()
    {
        const int Width = 4096;
        const long Most = SessionTable.BytesAhead + (ProtocolLimits.HiddenCredit * (long)ProtocolLimits.ActivationBytes);
        var wide = Shape with { HiddenSize = Width, ContextLength = 1 << 20 };
        Assert.Equal(KvCache.BytesFor(wide, Middle, 10) + (10 * Width * 4), SessionTable.BytesFor(wide, Middle, 10));
        Assert.Equal(KvCache.BytesFor(wide, Middle, 4096) + Most, SessionTable.BytesFor(wide, Middle, 4096));
        Assert.Equal(KvCache.BytesFor(wide, Last, 4096) + Most, SessionTable.BytesFor(wide, Last, 4096));

        // Tokens are all that waits for the first hop.
        Assert.Equal(KvCache.BytesFor(wide, First, 4096) + (4096 * 4), SessionTable.BytesFor(wide, First, 4096));
    }

    [Fact]
    public void A_shard_that_leaves_takes_no_new_session_and_keeps_those_it_has()
    {
        var open = Open(_route, 1, _pipeline);
        _table.Open(open, default);
        _table.IsLeaving = true;
        Assert.Equal(RefusalReason.Leaving, _table.Open(Open(_route, 1, _pipeline), default).Reason);
        Assert.Equal(OpenOutcome.Again, _table.Open(open, default).Outcome);
        Assert.Equal(FeedOutcome.Accepted, _table.Feed(Hidden(open, 0, 1), Previous).Outcome);
    }

    [Fact]
    public void Nobody_takes_over_the_session_of_another()
    {
        var open = Open(_route, 1, _pipeline);
        _table.Open(open, default);
        var stranger = CreateTestProbe();
        Assert.Equal(RefusalReason.Invalid, _table.Open(open with { Pipeline = stranger, Epoch = 2 }, default).Reason);
        Assert.Equal(FeedOutcome.Ignored, _table.Feed(Hidden(open, 0, 1), stranger).Outcome);
        Assert.Null(_table.Close(new CloseSession(open.Session, 1), stranger));
        Assert.NotNull(_table.Close(new CloseSession(open.Session, 1), _pipeline));
    }

    [Theory]
    [InlineData("", "0+3 accepted, 3+1 accepted, 4+28 accepted, 32+1 failed")]
    [InlineData("doubled", "0+3 accepted, 0+3 rejected, 3+1 accepted, 3+1 rejected, 4+1 accepted")]
    [InlineData("reordered", "3+1 rejected, 0+3 accepted, 4+1 rejected, 3+1 accepted, 4+1 accepted")]
    [InlineData("too long at once", "0+33 failed")]
    public void A_step_is_accepted_at_the_one_position_that_follows(string what, string course)
    {
        Assert.NotNull(what);
        var open = Open(_route, 1, _pipeline);
        _table.Open(open, default);
        foreach (var step in course.Split(", "))
        {
            var (position, rows, outcome) = step.Split('+', ' ') is [var p, var r, var o] ? (int.Parse(p), int.Parse(r), o) : throw new FormatException(step);
            var decision = _table.Feed(Hidden(open, position, rows), Previous);
            Assert.Equal(outcome, decision.Outcome.ToString().ToLowerInvariant());
        }
    }

    [Theory]
    [InlineData("width")]
    [InlineData("no rows")]
    [InlineData("negative rows")]
    [InlineData("times")]
    [InlineData("negative time")]
    public void Activations_that_do_not_fit_fail_the_session(string what)
    {
        var open = Open(_route, 1, _pipeline);
        _table.Open(open, default);
        var good = Hidden(open, 0, 2);
        var broken = what switch
        {
            "width" => good with { Hidden = new float[15] },
            "no rows" => good with { Rows = 0, Hidden = default },
            "negative rows" => good with { Rows = -1 },
            "times" => good with { HopMicroseconds = [] },
            _ => good with { HopMicroseconds = [-1] },
        };
        Assert.Equal(FeedOutcome.Failed, _table.Feed(broken, Previous).Outcome);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(99, true)]
    [InlineData(100, false)]
    [InlineData(-1, false)]
    public void Tokens_outside_the_vocabulary_fail_the_session(int token, bool isInside)
    {
        var table = Table(First);
        var open = Open(_route, 0, _pipeline);
        table.Open(open, default);
        Assert.Equal(isInside ? FeedOutcome.Accepted : FeedOutcome.Failed, table.Feed(new FeedTokens(open.Session, 1, 0, [token], false), _pipeline).Outcome);
    }

    [Fact]
    public void A_hop_that_sends_without_credit_fails_its_session()
    {
        const int Width = 4096;
        var table = new SessionTable(Model, Shape with { HiddenSize = Width, ContextLength = 4096 }, Middle, 8, new CacheBudget(1L << 40));
        var open = Open(_route, 1, _pipeline, limit: 4096);
        table.Open(open, default);
        var (position, credit) = (0, 0);
        FeedDecision decision;
        while ((decision = table.Feed(Hidden(open, position, 3, width: Width), Previous)).Outcome == FeedOutcome.Accepted)
        {
            position += 3;
            for (; decision.Session!.NextCredit() is not null; credit++)
            {
            }
        }

        Assert.Equal(FeedOutcome.Failed, decision.Outcome);
        Assert.Equal(ProtocolLimits.HiddenCredit, (position / 3) - credit);
        Assert.InRange(decision.Session!.Steps.Bytes, SessionTable.BytesAhead, SessionTable.BytesAhead + (8 * ProtocolLimits.ActivationBytes));
    }

    [Fact]
    public void The_next_epoch_keeps_what_is_computed_and_voids_what_waits()
    {
        var open = Open(_route, 1, _pipeline);
        var session = _table.Open(open, default).Session!;
        _table.Feed(Hidden(open, 0, 5), Previous);
        var slot = new BatchSlot { Session = session, Step = new() { Cache = null! } };
        slot.Reset(session);
        session.Steps.Take(3, slot);
        session.ComputingRows = slot.Rows;

        Assert.Equal(OpenOutcome.Again, _table.Open(open with { Epoch = 2 }, default).Outcome);
        Assert.Equal(3, session.NextPosition);
        Assert.Equal(FeedOutcome.Ignored, _table.Feed(Hidden(open, 3, 1), Previous).Outcome);
        Assert.Equal(FeedOutcome.Ignored, _table.Feed(Hidden(open with { Epoch = 2 }, 3, 1), Previous).Outcome);
        session.ComputingRows = 0;
        Assert.Equal(FeedOutcome.Accepted, _table.Resume(new ResumeSession(open.Session, 2, [3, 3, 3], 8), Previous).Outcome);
        Assert.Equal(FeedOutcome.Accepted, _table.Feed(Hidden(open with { Epoch = 2 }, 3, 1), Previous).Outcome);
        Assert.Equal(OpenOutcome.Stale, _table.Open(open, default).Outcome);
        Assert.Null(_table.Close(new CloseSession(open.Session, 1), _pipeline));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("stranger", false)]
    [InlineData("another epoch", false)]
    [InlineData("again", false)]
    public void A_session_goes_on_once_in_an_epoch_and_only_where_the_hop_before_says(string what, bool isAccepted)
    {
        var message = new ResumeSession(Reopened(computed: 5, kept: 5), 2, [6, 4, 4], 8);
        if (what == "again")
        {
            Assert.Equal(FeedOutcome.Accepted, _table.Resume(message, Previous).Outcome);
        }

        var decision = _table.Resume(what == "another epoch" ? message with { Epoch = 3 } : message, what == "stranger" ? _pipeline : Previous);
        Assert.Equal(isAccepted ? FeedOutcome.Accepted : FeedOutcome.Ignored, decision.Outcome);
        Assert.Equal(isAccepted || what == "again" ? 4 : 5, decision.Session!.NextPosition);
    }

    [Theory]
    [InlineData("more than it has", 6, 6)]
    [InlineData("more than is known", 5, 4)]
    [InlineData("outputs that are not kept", 5, 1)]
    [InlineData("negative", -1, 5)]
    [InlineData("other hops", 5, 5)]
    public void A_session_that_cannot_go_on_as_it_is_told_fails(string what, int own, int next)
    {
        var session = Reopened(computed: 5, kept: 3);
        var starts = what == "other hops" ? [6, own] : new[] { 6, own, next };
        Assert.Equal(FeedOutcome.Failed, _table.Resume(new ResumeSession(session, 2, [.. starts], what == "more than is known" ? 4 : 8), Previous).Outcome);
    }

    [Fact]
    public void Outputs_are_kept_while_memory_is_spare_and_forgotten_for_a_new_session()
    {
        const int Width = 4096;
        var wide = Shape with { HiddenSize = Width, ContextLength = 1 << 20 };
        var bytes = SessionTable.BytesFor(wide, Middle, 1000);
        var budget = new CacheBudget((2 * bytes) + (32 << 10));
        var table = new SessionTable(Model, wide, Middle, 10, budget);
        var session = table.Open(Open(_route, 1, _pipeline, limit: 1000), default).Session!;
        table.Keep(session, 0, new float[3 * Width]);
        Assert.Equal(bytes + (64 << 10), budget.Reserved);

        Assert.Equal(OpenOutcome.New, table.Open(Open(_route, 1, _pipeline, limit: 1000), default).Outcome);
        Assert.Null(session.Kept);
        Assert.Equal(2 * bytes, budget.Reserved);

        // Too little is free now, which the next epoch finds out again.
        table.Open(session.Open with { Epoch = 2 }, default);
        Assert.NotNull(session.Kept);
        table.Keep(session, 0, new float[3 * Width]);
        Assert.Null(session.Kept);
        table.Release(session);
        Assert.Equal(bytes, budget.Reserved);
    }

    [Fact]
    public void Only_silent_sessions_without_work_are_idle()
    {
        var (silent, busy) = (Open(_route, 1, _pipeline), Open(_route, 1, _pipeline));
        _table.Open(silent, TimeSpan.FromSeconds(1));
        _table.Open(busy, TimeSpan.FromSeconds(1));
        _table.Feed(Hidden(busy, 0, 1), Previous);
        Assert.Empty(_table.Idle(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10)));
        Assert.Equal(silent.Session, Assert.Single(_table.Idle(TimeSpan.FromSeconds(11), TimeSpan.FromSeconds(10))).Open.Session);
    }

    /// <summary>A session of so many positions in its second epoch, of which the outputs of the last are kept.</summary>
    private SessionId Reopened(int computed, int kept)
    {
        var open = Open(_route, 1, _pipeline);
        var session = _table.Open(open, default).Session!;
        _table.Feed(Hidden(open, 0, computed), Previous);
        var slot = new BatchSlot { Session = session, Step = new() { Cache = null! } };
        slot.Reset(session);
        session.Steps.Take(computed, slot);
        _table.Keep(session, computed - kept, new float[kept * Shape.HiddenSize]);
        _table.Open(open with { Epoch = 2 }, default);
        Assert.Equal(new SessionOpened(open.Session, 2, 1, computed, computed - kept), session.Opened());
        return open.Session;
    }

    private SessionTable Table(LayerRange range, int maxSessions = 8) => new(Model, Shape, range, maxSessions, _budget);
}
