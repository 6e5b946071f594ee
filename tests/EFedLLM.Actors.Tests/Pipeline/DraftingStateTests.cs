using System.Collections.Immutable;
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

/// <summary>What a generation feeds and tells when it guesses ahead.</summary>
public sealed class DraftingStateTests
{
    // The last two tokens stand at the beginning, so that 5, 6 and 7 are guessed behind the first token that is drawn, 4.
    private static readonly ImmutableArray<int> Prompt = [3, 4, 5, 6, 7, 8, 9, 3];

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 64 };

    private static readonly Lazy<ModelTokenizer> Tokenizer = new(() => ModelTokenizer.Load(SharedModels.Model("stories260K")));

    [SharedFact]
    public void Guesses_go_behind_the_known_token_and_count_as_far_as_they_are_what_is_drawn()
    {
        var (state, plan) = Running();
        Assert.Equal("8+4,5,6 drafted", Fed(state.Sampled(Drawn(plan, 8, 4), At(1))));

        // Both are right, and one more was drawn: twice as many are guessed.
        var commands = state.Sampled(Drawn(plan, 9, 5, 6, 7), At(2));
        Assert.Equal("11+7,8,9,3,4 drafted", Fed(commands));
        Assert.Equal([(1, 5), (2, 6), (3, 7)], Told(commands));

        // One is right: what was drawn in the place of the next counts, and nothing behind it.
        commands = state.Sampled(Drawn(plan, 12, 8, 90, 91, 92, 93), At(3));
        Assert.Equal("13+90", Fed(commands));
        Assert.Equal([(4, 8), (5, 90)], Told(commands));
    }

    [SharedFact]
    public void A_wrong_guess_costs_its_rows_and_then_nothing_is_guessed_for_a_while()
    {
        var (state, plan) = Running();
        state.Sampled(Drawn(plan, 8, 4), At(1));
        var commands = state.Sampled(Drawn(plan, 9, 3, 50, 51), At(2));
        Assert.Equal("9+3", Fed(commands));
        Assert.Equal([(1, 3)], Told(commands));
        Assert.Equal("10+4", Fed(state.Sampled(Drawn(plan, 10, 4), At(3))));
    }

    [SharedTheory]
    [InlineData(2, "8+4")]
    [InlineData(3, "8+4,5 drafted")]
    [InlineData(4, "8+4,5,6 drafted")]
    public void Nothing_is_guessed_beyond_the_last_token_that_may_be_drawn(int maxTokens, string fed)
    {
        var (state, plan) = Running(maxTokens);
        Assert.Equal(fed, Fed(state.Sampled(Drawn(plan, 8, 4), At(1))));
    }

    [SharedFact]
    public void An_answer_that_ends_among_guesses_ends_there_and_says_how_many_were_right()
    {
        var (state, plan) = Running(maxTokens: 3);
        state.Sampled(Drawn(plan, 8, 4), At(1));
        var commands = state.Sampled(Drawn(plan, 9, 5, 6), At(2));
        Assert.Equal([(1, 5), (2, 6)], Told(commands));
        var timing = Assert.Single(commands.OfType<TellClient>().Select(tell => tell.Event).OfType<GenerationFinished>()).Timing;
        Assert.Equal((3, 1, 1), (timing.GeneratedTokens, timing.DraftedTokens, timing.AcceptedTokens));
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void A_head_that_draws_more_or_less_than_there_were_guesses_is_not_believed(int further)
    {
        var (state, plan) = Running();
        state.Sampled(Drawn(plan, 8, 4), At(1));
        var commands = state.Sampled(Drawn(plan, 9, [5, .. Enumerable.Repeat(6, further)]), At(2));
        Assert.Empty(Told(commands));
        Assert.Contains(commands, command => command is CloseHop);
    }

    [SharedFact]
    public void A_head_that_draws_what_does_not_exist_behind_a_guess_is_not_believed()
    {
        var (state, plan) = Running();
        state.Sampled(Drawn(plan, 8, 4), At(1));
        Assert.Contains(state.Sampled(Drawn(plan, 9, 5, 6, plan.VocabularySize), At(2)), command => command is CloseHop);
    }

    [SharedFact]
    public void What_was_drawn_before_is_passed_over()
    {
        var (state, plan) = Running();
        state.Sampled(Drawn(plan, 8, 4), At(1));
        state.Sampled(Drawn(plan, 9, 5, 6, 7), At(2));
        Assert.Empty(state.Sampled(Drawn(plan, 9, 5, 6, 7), At(3)));
        Assert.Empty(state.Sampled(Drawn(plan, 8, 4), At(3)));
    }

    [SharedTheory]
    [InlineData(0, null)]
    [InlineData(7, 0)]
    public void Where_the_gateway_or_whoever_asked_wants_none_nothing_is_guessed(int limit, int? asked)
    {
        var (state, plan) = Running(limit: limit, asked: asked);
        Assert.Equal("8+4", Fed(state.Sampled(Drawn(plan, 8, 4), At(1))));
    }

    [Theory]
    [InlineData(7, null, 576, 7)]
    [InlineData(7, 15, 576, 7)]
    [InlineData(7, 3, 576, 3)]
    [InlineData(15, null, 2048, 15)]
    [InlineData(15, null, 4096, 7)]
    [InlineData(15, null, 32768, 0)]
    public void No_more_is_guessed_than_travels_as_one_message(int limit, int? asked, int hidden, int most)
    {
        var plan = Plan(20, limit, asked);
        Assert.Equal(most, (plan with { Model = plan.Model with { HiddenSize = hidden } }).MostDrafts);
    }

    private static (GenerationState State, GenerationPlan Plan) Running(int maxTokens = 20, int limit = 7, int? asked = null)
    {
        var plan = Plan(maxTokens, limit, asked);
        var state = new GenerationState(plan, new AnswerText(Tokenizer.Value, plan.Settings, []));
        state.Start(default);
        for (var hop = 0; hop < 3; hop++)
        {
            state.Opened(hop, default);
        }

        return (state, plan);
    }

    private static GenerationPlan Plan(int maxTokens, int limit, int? asked)
    {
        var ranges = new[] { TestSessions.First, TestSessions.Middle, TestSessions.Last };
        var route = TestSessions.Route(TestSessions.Model, ranges, [.. ranges.Select((_, hop) => new NamedRef($"hop-{hop}"))]);
        return new GenerationPlan(
            PromptId.New(), SessionId.New(), Facts.Model('a', "tiny", 4), 512, route, Prompt, new GenerationSettings { MaxTokens = maxTokens }, Limits with { Drafts = limit }, default, Drafts: asked);
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static TokenSampled Drawn(GenerationPlan plan, int position, params int[] tokens)
        => new(plan.Session, 1, position, Choice(tokens[0]), [1, 1, 1], [.. tokens.Skip(1).Select(Choice)]);

    private static TokenChoice Choice(int token) => new(token, -1, []);

    private static string Fed(IReadOnlyList<PipelineCommand> commands)
    {
        var message = Assert.Single(commands.OfType<FeedRoute>()).Message;
        Assert.True(message.Sample);
        return $"{message.Position}+{string.Join(',', message.Tokens)}{(message.Drafted ? " drafted" : "")}";
    }

    private static (int Index, int Token)[] Told(IReadOnlyList<PipelineCommand> commands)
        => [.. commands.OfType<TellClient>().Select(tell => tell.Event).OfType<TokenGenerated>().Select(told => (told.Index, told.Choice.Id))];
}
