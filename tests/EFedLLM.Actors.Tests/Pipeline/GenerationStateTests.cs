using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>The course of a generation over three hops, event by event. The prompt has 10 tokens and is fed by 4.</summary>
public sealed class GenerationStateTests
{
    private const int Prompt = 10;
    private const int End = 2;

    private static readonly NodeLimits Limits = TestLimits.Reference with
    {
        PromptChunk = 4,
        Drafts = 0,
        OpenDeadline = TimeSpan.FromSeconds(10),
        StepDeadline = TimeSpan.FromSeconds(30),
        RowDeadline = TimeSpan.FromMilliseconds(100),
        ProbeDeadline = TimeSpan.FromSeconds(2),
    };

    [SharedFact]
    public void A_generation_runs_from_opening_to_its_last_token_and_reports_every_hop()
    {
        var (state, plan) = Begin(maxTokens: 3);
        Assert.Equal([0, 1, 2], state.Start(At(1)).Cast<OpenHop>().Select(open => open.Hop));
        Assert.Equal(At(3), state.Deadline);
        Assert.Empty(state.Opened(2, At(1)));
        Assert.Empty(state.Opened(0, At(1)));
        Assert.Empty(state.Opened(0, At(1)));

        var opened = state.Opened(1, At(2)).ToArray();
        var started = Assert.IsType<GenerationStarted>(Assert.IsType<TellClient>(opened[0]).Event);
        Assert.Equal((plan.Session, Prompt, 3), (started.Session, started.PromptTokens.Length, started.Route.Length));
        Assert.Equal(["0+4", "4+4", "8+2 draw"], opened.Skip(1).Select(Fed));
        Assert.Equal(At(2 + 30 + 1), state.Deadline);

        Assert.Empty(state.Computed(Rows(plan, 0, 8), At(3)));
        Assert.Equal(At(3 + 30 + 0.2), state.Deadline);
        for (var token = 0; token < 2; token++)
        {
            var commands = state.Sampled(Drawn(plan, Prompt + token, 50 + token), At(4 + token));
            Assert.Equal(2, commands.Count);
            var generated = Assert.IsType<TokenGenerated>(((TellClient)commands[1]).Event);
            Assert.Equal((token, 50 + token), (generated.Index, generated.Choice.Id));
            Assert.Equal(token == 0 ? 0 : 1000 - 0.006, generated.TransportMilliseconds, 1e-9);
            Assert.Equal($"{Prompt + token}+1 draw", Fed(commands[0]));
        }

        var last = state.Sampled(Drawn(plan, Prompt + 2, 60), At(7)).ToArray();
        Assert.Equal(plan.Route.Hops, last.OfType<CloseHop>().Select(close => close.Hop));
        Assert.All(last.OfType<ReportWork>(), work => Assert.Equal((WorkOutcome.Served, Prompt + 2), (work.Report.Outcome, work.Report.Tokens)));
        Assert.Equal(3, last.OfType<ReportWork>().Count());
        var finished = Assert.IsType<GenerationFinished>(last.OfType<TellClient>().Last().Event);
        Assert.Equal(FinishReason.Length, finished.Reason);
        Assert.Equal((Prompt, 3, 2000, 2000, 3000), (finished.Timing.PromptTokens, finished.Timing.GeneratedTokens, finished.Timing.QueueMilliseconds, finished.Timing.PrefillMilliseconds, finished.Timing.DecodeMilliseconds));
        Assert.Equal([0.004, 0.008, 0.012], finished.Timing.HopComputeMilliseconds.ToArray());
        Assert.Equal(new EndPipeline(null), last[^1]);
        Assert.Null(state.Deadline);
        Assert.Empty(state.Cancel(At(8)));
    }

    [SharedFact]
    public void A_long_prompt_is_fed_as_it_is_computed()
    {
        var (state, plan) = Begin(prompt: 100, hops: 1);
        state.Start(default);
        Assert.Equal(["0+4", "4+4"], state.Opened(0, default).Skip(1).Select(Fed));
        Assert.Equal(["8+4"], state.Computed(Rows(plan, 0, 4), default).Select(Fed));
        Assert.Equal(["12+4", "16+4"], state.Computed(Rows(plan, 4, 7), default).Select(Fed));
    }

    [SharedFact]
    public void A_prompt_that_is_only_scored_ends_with_its_last_score()
    {
        var (state, plan) = Begin(maxTokens: 0, scorePrompt: true);
        state.Start(default);
        state.Opened(0, default);
        state.Opened(1, default);
        Assert.Equal(["0+4", "4+4", "8+1"], state.Opened(2, default).Skip(1).Select(Fed));
        var first = Assert.IsType<PromptScored>(Assert.IsType<TellClient>(Assert.Single(state.Computed(Scored(plan, 0, 8), default))).Event);
        Assert.Equal((1, 8), (first.Index, first.Choices.Length));
        var last = state.Computed(Scored(plan, 8, 1), default).OfType<TellClient>().Select(tell => tell.Event).ToArray();
        Assert.Equal(9, Assert.IsType<PromptScored>(last[0]).Index);
        Assert.Equal((FinishReason.Length, 0), (Assert.IsType<GenerationFinished>(last[1]).Reason, ((GenerationFinished)last[1]).Timing.GeneratedTokens));
    }

    [SharedTheory]
    [InlineData("none")]
    [InlineData("too few")]
    [InlineData("another token")]
    [InlineData("more than certain")]
    [InlineData("not finite")]
    public void Scores_that_cannot_be_the_prompts_are_not_believed(string what)
    {
        var (state, plan) = Begin(maxTokens: 0, scorePrompt: true);
        state.Look(TestSessions.View(plan.Route, plan.Model), default);
        state.Start(default);
        state.Opened(0, default);
        state.Opened(1, default);
        state.Opened(2, default);
        var good = Scored(plan, 0, 4);
        var message = good with
        {
            Scores = what switch
            {
                "none" => [],
                "too few" => good.Scores[..3],
                "another token" => good.Scores.SetItem(2, good.Scores[2] with { Id = plan.Tokens[3] + 1 }),
                "more than certain" => good.Scores.SetItem(2, good.Scores[2] with { Logprob = 0.1f }),
                _ => good.Scores.SetItem(2, good.Scores[2] with { Logprob = float.NegativeInfinity }),
            },
        };
        var commands = state.Computed(message, default);
        Assert.Equal(GenerationError.HopLost, commands.OfType<TellClient>().Select(tell => tell.Event).OfType<GenerationFailed>().Single().Error);
        Assert.Contains(commands.OfType<ReportWork>(), work => work.Report.Outcome == WorkOutcome.Failed && work.Report.Device == plan.Route.Hops[2].Device);
    }

    [SharedFact]
    public void An_end_token_ends_it()
    {
        var (state, plan) = Running();
        var commands = state.Sampled(Drawn(plan, Prompt, End), default);
        Assert.Equal(FinishReason.Stop, commands.OfType<TellClient>().Select(tell => tell.Event).OfType<GenerationFinished>().Single().Reason);
    }

    [SharedFact]
    public void Messages_that_come_again_change_nothing()
    {
        var (state, plan) = Running();
        state.Computed(Rows(plan, 0, 8), default);
        Assert.Empty(state.Computed(Rows(plan, 0, 8), default));
        state.Sampled(Drawn(plan, Prompt, 50), default);
        Assert.Empty(state.Sampled(Drawn(plan, Prompt, 51), default));
        Assert.Empty(state.Rejected(1, new StepRejected(plan.Session, 1, 1, 0, 8), default));
        Assert.Equal("11+1 draw", Fed(state.Sampled(Drawn(plan, Prompt + 1, 50), default)[0]));
    }

    [SharedTheory]
    [InlineData(RefusalReason.Full)]
    [InlineData(RefusalReason.WrongRange)]
    [InlineData(RefusalReason.Leaving)]
    public void A_hop_that_refuses_ends_the_attempt_without_a_word_to_the_client(RefusalReason reason)
    {
        var (state, plan) = Begin();
        state.Start(default);
        state.Opened(0, default);
        var commands = state.Refused(1, reason, "no.", default);
        Assert.Empty(commands.OfType<TellClient>());
        Assert.Equal([plan.Route.Hops[0], plan.Route.Hops[2]], commands.OfType<CloseHop>().Select(close => close.Hop));
        var refusal = Assert.IsType<EndPipeline>(commands[^1]).Refusal!;
        Assert.Equal((plan.Route.Hops[1].Device, reason), (refusal.Device, refusal.Reason));
    }

    [SharedFact]
    public void Slow_hops_that_answer_get_more_time_and_progress_clears_them()
    {
        var (state, plan) = Running();
        Assert.Equal([0, 1, 2], state.DeadlinePassed(At(31)).Cast<OpenHop>().Select(open => open.Hop));
        Assert.Equal(At(33), state.Deadline);
        for (var hop = 0; hop < 3; hop++)
        {
            state.Opened(hop, At(31));
        }

        Assert.Equal(At(31 + 30 + 1), state.Deadline);
        state.Computed(Rows(plan, 0, 4), At(40));
        Assert.All(state.DeadlinePassed(At(71)), command => Assert.Equal(1, Assert.IsType<OpenHop>(command).Epoch));
    }

    [SharedFact]
    public void Once_the_pace_is_known_hops_are_asked_soon()
    {
        var (state, plan) = Running();
        for (var token = 0; token < 3; token++)
        {
            state.Sampled(Drawn(plan, Prompt + token, 50), At(2 + (0.02 * token)));
        }

        Assert.Equal(At(2.04 + 1 + 0.04), state.Deadline);
    }

    [SharedFact]
    public void Progress_during_a_probe_ends_it()
    {
        var (state, plan) = Running();
        Assert.Equal(3, state.Suspect(At(5)).Count);
        state.Computed(Rows(plan, 0, 4), At(6));
        Assert.Equal(At(6 + 30 + 0.6), state.Deadline);
        Assert.Empty(state.Opened(0, At(6)));
    }

    [SharedFact]
    public void Cancelling_closes_every_hop_and_reports_the_work_done()
    {
        var (state, plan) = Running();
        state.Computed(Rows(plan, 0, 8), default);
        var commands = state.Cancel(default);
        Assert.Equal(3, commands.OfType<CloseHop>().Count());
        Assert.All(commands.OfType<ReportWork>(), work => Assert.Equal(8, work.Report.Tokens));
        Assert.Equal(FinishReason.Cancelled, Assert.IsType<GenerationFinished>(commands.OfType<TellClient>().Single().Event).Reason);
        Assert.Empty(state.Sampled(Drawn(plan, Prompt, 50), default));
        Assert.Empty(state.HopGone(plan.Route.Hops[0].Shard, default));
    }

    private static (GenerationState State, GenerationPlan Plan) Running()
    {
        var (state, plan) = Begin();
        state.Start(default);
        for (var hop = 0; hop < 3; hop++)
        {
            state.Opened(hop, default);
        }

        return (state, plan);
    }

    private static (GenerationState State, GenerationPlan Plan) Begin(int prompt = Prompt, int hops = 3, int maxTokens = 20, bool scorePrompt = false)
    {
        var settings = new GenerationSettings { MaxTokens = maxTokens };
        var ranges = hops == 1 ? [new(0, 6)] : new[] { TestSessions.First, TestSessions.Middle, TestSessions.Last };
        var route = TestSessions.Route(TestSessions.Model, ranges, [.. ranges.Select((_, hop) => new NamedRef($"hop-{hop}"))]);
        var plan = new GenerationPlan(
            PromptId.New(), SessionId.New(), Facts.Model('a', "tiny", 4), 512, route, [.. Enumerable.Range(3, prompt)], settings, Limits, default, ScorePrompt: scorePrompt);
        return (new GenerationState(plan, new AnswerText(Tokenizer.Value, settings, [End])), plan);
    }

    private static readonly Lazy<ModelTokenizer> Tokenizer = new(() => ModelTokenizer.Load(SharedModels.Model("stories260K")));

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static ImmutableArray<int> Times(GenerationPlan plan) => [.. Enumerable.Range(1, plan.Route.Hops.Length)];

    private static RowsComputed Rows(GenerationPlan plan, int position, int rows) => new(plan.Session, 1, position, rows, Times(plan));

    private static RowsComputed Scored(GenerationPlan plan, int position, int rows)
        => Rows(plan, position, rows) with { Scores = [.. Enumerable.Range(position + 1, rows).Select(next => new TokenChoice(plan.Tokens[next], -1, []))] };

    private static TokenSampled Drawn(GenerationPlan plan, int position, int token) => new(plan.Session, 1, position, new TokenChoice(token, -1, []), Times(plan));

    private static string Fed(PipelineCommand command)
    {
        var message = Assert.IsType<FeedRoute>(command).Message;
        return $"{message.Position}+{message.Tokens.Length}{(message.Sample ? " draw" : "")}";
    }
}
