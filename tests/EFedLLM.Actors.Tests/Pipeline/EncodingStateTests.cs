using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>The course of one sequence of 100 tokens, fed by 4, through an encoder on three hops that gives two values.</summary>
public sealed class EncodingStateTests
{
    private const int Sequence = 100;

    private static readonly Lazy<ModelTokenizer> Tokenizer = new(() => ModelTokenizer.Load(SharedModels.Model("stories260K")));

    [SharedFact]
    public void A_sequence_is_fed_whole_and_its_result_is_the_end()
    {
        var (state, plan, opened) = Running();

        Assert.Equal(Sequence, plan.TokenLimit);
        Assert.Equal(Sequence, opened.OfType<FeedRoute>().Sum(feed => feed.Message.Tokens.Length));
        Assert.Equal([Sequence - 4], opened.OfType<FeedRoute>().Where(feed => feed.Message.Sample).Select(feed => feed.Message.Position));

        var last = state.Encoded(Result(plan), TimeSpan.FromSeconds(3)).ToArray();
        Assert.Equal([1f, 2f], Assert.IsType<TextEncoded>(((TellClient)last[0]).Event).Values.ToArray());
        Assert.Equal(plan.Route.Hops, last.OfType<CloseHop>().Select(close => close.Hop));
        Assert.All(last.OfType<ReportWork>(), work => Assert.Equal((WorkOutcome.Served, Sequence), (work.Report.Outcome, work.Report.Tokens)));
        var finished = Assert.IsType<GenerationFinished>(last.OfType<TellClient>().Last().Event);
        Assert.Equal((FinishReason.Stop, Sequence, 0, 3000.0), (finished.Reason, finished.Timing.PromptTokens, finished.Timing.GeneratedTokens, finished.Timing.PrefillMilliseconds));
        Assert.IsType<EndPipeline>(last[^1]);
        Assert.Empty(state.Encoded(Result(plan), TimeSpan.FromSeconds(4)));
    }

    [SharedTheory]
    [InlineData("rows")]
    [InlineData("width")]
    [InlineData("not finite")]
    [InlineData("times")]
    public void A_result_that_was_not_asked_for_ends_the_session_at_the_heads_cost(string what)
    {
        var (state, plan, _) = Running();
        var broken = what switch
        {
            "rows" => Result(plan) with { Rows = 99 },
            "width" => Result(plan) with { Values = new float[3] },
            "not finite" => Result(plan) with { Values = new[] { 1, float.NaN } },
            _ => Result(plan) with { HopMicroseconds = [1] },
        };

        AssertLost(state.Encoded(broken, default));
    }

    [SharedFact]
    public void A_token_in_the_place_of_a_result_ends_the_session()
    {
        var (state, plan, _) = Running();

        AssertLost(state.Sampled(new TokenSampled(plan.Session, 1, Sequence, new TokenChoice(5, -1, []), [1, 2, 3]), default));
    }

    [SharedFact]
    public void A_result_in_the_place_of_a_token_ends_the_session()
    {
        var (state, plan, _) = Running(SequenceOutput.None);

        AssertLost(state.Encoded(Result(plan), default));
    }

    [SharedFact]
    public void A_hop_that_is_lost_is_replaced_and_the_sequence_is_fed_whole_again()
    {
        var (state, plan, _) = Running();
        var spare = new Hop(TestSessions.Device(9), TestSessions.Middle, new NamedRef("spare"));
        state.Look(TestSessions.View(plan.Route, plan.Model, spare), default);
        Assert.Equal(spare, state.HopGone(plan.Route.Hops[1].Shard, default).OfType<OpenHop>().First().Route.Hops[1]);
        state.Opened(0, default);
        state.Opened(1, default);
        var again = state.Opened(2, default).ToArray();
        Assert.Equal([0, 0, 0], again.OfType<ResumeRoute>().Single().Message.Starts.ToArray());
        Assert.Equal(Sequence, again.OfType<FeedRoute>().Sum(feed => feed.Message.Tokens.Length));
        Assert.Empty(again.OfType<TellClient>());
        Assert.IsType<TextEncoded>(((TellClient)state.Encoded(Result(plan), default)[0]).Event);
    }

    private static void AssertLost(IReadOnlyList<PipelineCommand> commands)
    {
        Assert.Equal(GenerationError.HopLost, Assert.IsType<GenerationFailed>(commands.OfType<TellClient>().Single().Event).Error);
        Assert.Equal(3, commands.OfType<CloseHop>().Count());
        var report = Assert.Single(commands.OfType<ReportWork>()).Report;
        Assert.Equal((TestSessions.Device(2), WorkOutcome.Failed), (report.Device, report.Outcome));
    }

    private static SequenceEncoded Result(GenerationPlan plan) => new(plan.Session, 1, Sequence, new float[] { 1, 2 }, [1, 2, 3]);

    private static (GenerationState State, GenerationPlan Plan, PipelineCommand[] Opened) Running(SequenceOutput output = SequenceOutput.Classes)
    {
        var settings = new GenerationSettings { MaxTokens = 1 };
        ImmutableArray<LayerRange> ranges = [TestSessions.First, TestSessions.Middle, TestSessions.Last];
        var route = TestSessions.Route(TestSessions.Model, ranges, [.. ranges.Select((_, hop) => new NamedRef($"hop-{hop}"))]);
        var plan = new GenerationPlan(
            PromptId.New(), SessionId.New(), Facts.Model('a', "tiny", 4), 512, route, [.. Enumerable.Range(3, Sequence)], settings, TestLimits.Reference with { PromptChunk = 4 }, default,
            output, output == SequenceOutput.None ? 0 : 2);
        var state = new GenerationState(plan, new AnswerText(Tokenizer.Value, settings, []));
        state.Look(TestSessions.View(plan.Route, plan.Model), default);
        state.Start(default);
        state.Opened(0, default);
        state.Opened(1, default);
        return (state, plan, [.. state.Opened(2, default)]);
    }
}
