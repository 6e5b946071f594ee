using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>What a pipeline makes of what three hops say that they kept of a prompt of 200 tokens, which has three whole pages.</summary>
public sealed class PrefixStateTests
{
    private const int Page = KvCache.PagePositions;
    private const int Prompt = 200;

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 512 };

    private static readonly Lazy<ModelTokenizer> Tokenizer = new(() => ModelTokenizer.Load(SharedModels.Model("stories260K")));

    private static readonly Route Route = TestSessions.Route(
        TestSessions.Model, [TestSessions.First, TestSessions.Middle, TestSessions.Last], [.. Enumerable.Range(0, 3).Select(hop => new NamedRef($"hop-{hop}"))]);

    [SharedTheory]
    [InlineData(new[] { 0, 0, 0 }, new[] { 0, 0, 0 })]
    [InlineData(new[] { 192, 192, 192 }, new[] { 192, 192, 192 })]
    [InlineData(new[] { 192, 64, 192 }, new[] { 64, 64, 192 })]
    [InlineData(new[] { 192, 192, 0 }, new[] { 0, 0, 0 })]
    [InlineData(new[] { 0, 128, 192 }, new[] { 0, 128, 192 })]
    public void The_prefill_begins_behind_what_every_hop_from_there_on_has(int[] held, int[] starts)
    {
        var (state, plan) = Begin();
        var commands = Open(state, held);
        var resumed = commands.OfType<ResumeRoute>().Single().Message;
        Assert.Equal((1, Prompt), (resumed.Epoch, resumed.Length));
        Assert.Equal(starts, resumed.Starts);
        var fed = commands.OfType<FeedRoute>().Single().Message;
        Assert.Equal((starts[0], Prompt - starts[0], true), (fed.Position, fed.Tokens.Length, fed.Sample));
        Assert.Equal(plan.Tokens[starts[0]..].ToArray(), fed.Tokens.ToArray());

        // What was not computed is not reported as work.
        var first = new TokenSampled(plan.Session, 1, Prompt, new TokenChoice(50, -1, []), [1, 1, 1]);
        state.Sampled(first, default);
        var end = state.Cancel(default);
        Assert.Equal(starts[0], Assert.IsType<GenerationFinished>(end.OfType<TellClient>().Single().Event).Timing.CachedTokens);
        Assert.All(end.OfType<ReportWork>(), work => Assert.Equal(Prompt - starts[0], work.Report.Tokens));
    }

    [SharedTheory]
    [InlineData(193)]
    [InlineData(200)]
    [InlineData(int.MaxValue)]
    public void A_hop_that_says_it_has_more_than_it_was_asked_for_is_not_used(int held)
    {
        var (state, _) = Begin();
        state.Start(default);
        state.Opened(0, default, new HopStock(192, 192));
        var commands = state.Opened(1, default, new HopStock(held, held)).ToArray();
        Assert.Empty(commands.OfType<FeedRoute>());
        Assert.Equal(Route.Hops[1], commands.OfType<CloseHop>().First().Hop);
        Assert.Contains(commands.OfType<Note>(), note => note.Text.Contains("positions it was never given", StringComparison.Ordinal));
    }

    [SharedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Where_no_page_is_named_a_hop_that_has_positions_is_not_believed(bool isSigned)
    {
        var (state, plan) = Begin(isReusing: false, isSigned);
        var open = state.Start(default).OfType<OpenHop>().First();
        Assert.Empty(plan.Open(open, new NamedRef("pipeline")).Prefix);
        var commands = state.Opened(1, default, new HopStock(64, 64)).ToArray();
        Assert.Equal(Route.Hops[1], commands.OfType<CloseHop>().First().Hop);
    }

    [SharedFact]
    public void When_an_answer_is_over_its_hops_are_told_the_names_of_the_pages_behind_the_prompts()
    {
        var (state, plan) = Begin(maxTokens: 58);
        Open(state, [0, 0, 0]);
        var commands = new List<PipelineCommand>();
        for (var token = 0; token < 58; token++)
        {
            commands = [.. state.Sampled(new TokenSampled(plan.Session, 1, Prompt + token, new TokenChoice(100 + token, -1, []), [1, 1, 1]), default)];
        }

        // 257 of 258 tokens are computed: the fourth page is whole, and its last token is one of the answer.
        int[] text = [.. plan.Tokens, .. Enumerable.Range(100, 58)];
        var keys = PrefixChain.Begin(new byte[32], "", plan.Model.Model).With(text.AsSpan()[..^1]).Keys;
        Assert.Equal(4, keys.Length);
        Assert.All(commands.OfType<CloseHop>(), close => Assert.Equal(keys[3..].ToArray(), close.Pages.ToArray()));
        Assert.Equal(3, commands.OfType<CloseHop>().Count());
    }

    [SharedFact]
    public void A_session_that_fails_leaves_no_names()
    {
        var (state, plan) = Begin(maxTokens: 100);
        Open(state, [0, 0, 0]);
        for (var token = 0; token < 70; token++)
        {
            state.Sampled(new TokenSampled(plan.Session, 1, Prompt + token, new TokenChoice(100, -1, []), [1, 1, 1]), default);
        }

        state.Look(TestSessions.View(Route, plan.Model), default);
        state.HopGone(Route.Hops[1].Shard, default);
        var commands = state.DeadlinePassed(TimeSpan.FromDays(1));
        Assert.IsType<GenerationFailed>(commands.OfType<TellClient>().Single().Event);
        Assert.All(commands.OfType<CloseHop>(), close => Assert.True(close.Pages.IsDefaultOrEmpty));
    }

    private static (GenerationState State, GenerationPlan Plan) Begin(bool isReusing = true, bool isSigned = false, int maxTokens = 20)
    {
        var (model, settings) = (Facts.Model('a', "tiny", 4), new GenerationSettings { MaxTokens = maxTokens, IgnoreEndTokens = true });
        int[] prompt = [.. Enumerable.Range(3, Prompt)];
        var plan = new GenerationPlan(
            PromptId.New(), SessionId.New(), model, 512, Route, [.. prompt], settings, Limits, default,
            Audit: isSigned ? new AuditPlan(new TrustSettings(), TestSessions.Device(9), Digest.Of([1]), Digest.Of([2]), IsStrict: false, CanJudge: false) : null,
            Prefix: isReusing ? PrefixChain.Begin(new byte[32], "", model.Model).With(prompt.AsSpan()[..^1]) : null);
        Assert.Equal(isReusing ? 3 * Page : 0, plan.Prefix?.Positions ?? 0);
        return (new GenerationState(plan, new AnswerText(Tokenizer.Value, settings, [2])), plan);
    }

    private static PipelineCommand[] Open(GenerationState state, int[] held)
    {
        state.Start(default);
        PipelineCommand[] last = [];
        foreach (var (hop, positions) in held.Index())
        {
            last = [.. state.Opened(hop, default, new HopStock(positions, positions))];
        }

        return last;
    }
}
