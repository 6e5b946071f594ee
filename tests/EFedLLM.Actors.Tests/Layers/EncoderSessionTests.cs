using Akka.Actor;
using Akka.TestKit.Xunit2;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using static EFedLLM.Actors.Tests.Layers.TestSessions;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What a shard of an encoder believes of a message, on the middle hop of three.</summary>
public sealed class EncoderSessionTests : TestKit
{
    private const int Limit = 6;

    private readonly CacheBudget _budget = new(1 << 20);
    private readonly IActorRef _pipeline;
    private readonly Route _route;
    private readonly SessionTable _table;

    public EncoderSessionTests()
    {
        _pipeline = CreateTestProbe();
        _route = Route(Model, [First, Middle, Last], [CreateTestProbe(), CreateTestProbe(), CreateTestProbe()]);
        _table = new SessionTable(Model, Shape with { Architecture = "BertModel", KeyValueHeads = 2, Encoder = new EncoderSettings(2, 0) }, Middle, 8, _budget);
    }

    private IActorRef Previous => _route.Hops[0].Shard;

    [Theory]
    [InlineData(SequenceOutput.None, "generates none")]
    [InlineData(SequenceOutput.Classes, "does not give")]
    [InlineData((SequenceOutput)7, "does not give")]
    public void An_output_that_the_model_does_not_give_is_refused(SequenceOutput output, string mentioned)
    {
        var decision = _table.Open(Opening() with { Output = output }, default);

        Assert.Equal((OpenOutcome.Refused, RefusalReason.Invalid), (decision.Outcome, decision.Reason));
        Assert.Contains(mentioned, decision.Message, StringComparison.Ordinal);
        Assert.Equal(0, _budget.Reserved);
    }

    [Fact]
    public void A_model_that_generates_is_asked_for_no_output()
    {
        var table = new SessionTable(Model, Shape, Middle, 8, _budget);

        Assert.Equal(RefusalReason.Invalid, table.Open(Opening(), default).Reason);
        Assert.Equal(OpenOutcome.New, table.Open(Opening() with { Output = SequenceOutput.None }, default).Outcome);
    }

    [Fact]
    public void The_activations_that_wait_are_what_a_session_takes()
    {
        _table.Open(Opening(), default);

        Assert.Equal(Limit * Shape.HiddenSize * sizeof(float), _budget.Reserved);
    }

    [Fact]
    public void Nothing_is_computed_before_the_whole_sequence_is_there()
    {
        var open = Opening();
        var session = _table.Open(open, default).Session!;
        foreach (var (position, rows) in new[] { (0, 2), (2, 1), (3, 3) })
        {
            Assert.False(session.CanCompute);
            Assert.Equal(FeedOutcome.Accepted, _table.Feed(Hidden(open, position, rows, sample: position + rows == Limit), Previous).Outcome);
            Assert.NotNull(session.NextCredit());
        }

        Assert.True(session.CanCompute);
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(Limit, false)]
    public void A_sequence_ends_where_its_session_does(int rows, bool ends)
    {
        var open = Opening();
        _table.Open(open, default);

        Assert.Equal(FeedOutcome.Failed, _table.Feed(Hidden(open, 0, rows, sample: ends), Previous).Outcome);
    }

    [Fact]
    public void Another_output_is_another_session()
    {
        var open = Opening();
        _table.Open(open, default);

        Assert.Equal(OpenOutcome.Again, _table.Open(open, default).Outcome);
        Assert.Equal(RefusalReason.Invalid, _table.Open(open with { Output = SequenceOutput.None }, default).Reason);
    }

    private OpenSession Opening() => Open(_route, 1, _pipeline, limit: Limit) with { Output = SequenceOutput.Mean };
}
