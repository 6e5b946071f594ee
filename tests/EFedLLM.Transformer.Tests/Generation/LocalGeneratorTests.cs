using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tests.Blocks;
using EFedLLM.Transformer.Tests.Tokenizers;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Generation;

public sealed class LocalGeneratorTests : IDisposable
{
    private static readonly ModelTokenizer Tokenizer = TinyTokenizer.Load(TinyTokenizer.ByteLevel());
    private static readonly GenerationSettings Endless = new() { MaxTokens = 1000, IgnoreEndTokens = true };
    private static readonly int[] Prompt = [72, 101, 108, 108, 111];
    private readonly RandomCheckpoint _checkpoint = new(seed: 61, ("vocab_size", "261"), ("eos_token_id", "259"));
    private readonly ComputeTeam _team = new(1);
    private readonly LocalGenerator _generator;

    public LocalGeneratorTests() => _generator = new LocalGenerator(_checkpoint.Source, _team);

    [Theory]
    [InlineData(0f)]
    [InlineData(1.3f)]
    public void An_answer_is_the_same_in_any_chunks_and_again(float temperature)
    {
        var settings = Endless with { MaxTokens = 30, Sampling = new SamplingSettings { Temperature = temperature, Seed = 3, TopLogprobs = 2 } };
        using var small = new LocalGenerator(_checkpoint.Source, _team, promptChunk: 2);

        var first = Tokens(_generator.Generate(Prompt, settings, Tokenizer));

        Assert.Equal(30, first.Length);
        Assert.Equal(Describe(first), Describe(Tokens(small.Generate(Prompt, settings, Tokenizer))));
        Assert.Equal(Describe(first), Describe(Tokens(_generator.Generate(Prompt, settings, Tokenizer))));
    }

    [Fact]
    public void Tokens_are_those_of_the_forward_pass_over_everything_before()
    {
        using var pipeline = new ShardPipeline(_checkpoint.Source, _team);
        var ids = Tokens(_generator.Generate(Prompt, Endless with { MaxTokens = 20 }, Tokenizer)).Select(token => token.Choice.Id).ToArray();

        var logits = pipeline.Feed([.. Prompt, .. ids], chunk: 25).Chunk(261).Skip(Prompt.Length - 1);

        Assert.Equal(logits.Take(20).Select(row => Array.IndexOf(row, row.Max())), ids);
    }

    [Fact]
    public void The_context_ends_an_answer()
    {
        var outputs = _generator.Generate(Prompt, Endless, Tokenizer).ToArray();

        Assert.Equal(64 - Prompt.Length, Tokens(outputs).Length);
        var end = Assert.IsType<GenerationEnd>(outputs[^1]);
        Assert.Equal(FinishReason.Length, end.Reason);
        Assert.Equal((Prompt.Length, 64 - Prompt.Length), (end.Timing.PromptTokens, end.Timing.GeneratedTokens));
    }

    [Fact]
    public void Cancelling_ends_an_answer_and_gives_out_what_was_held_back()
    {
        using var cancellation = new CancellationTokenSource();
        var seen = new List<GenerationOutput>();
        foreach (var output in _generator.Generate(Prompt, Endless, Tokenizer, cancellation.Token))
        {
            seen.Add(output);
            if (seen.Count == 3)
            {
                cancellation.Cancel();
            }
        }

        Assert.Equal(4, seen.Count);
        Assert.Equal(FinishReason.Cancelled, Assert.IsType<GenerationEnd>(seen[3]).Reason);
        Assert.IsType<GenerationEnd>(Assert.Single(_generator.Generate(Prompt, Endless, Tokenizer, cancellation.Token)));
    }

    [Fact]
    public void All_pieces_make_up_the_answer_s_text()
    {
        var outputs = _generator.Generate(Prompt, Endless with { MaxTokens = 40 }, Tokenizer).ToArray();

        var text = string.Concat(outputs.Select(output => output is GeneratedToken token ? token.Text : ((GenerationEnd)output).Text));
        Assert.Equal(Tokenizer.Decode([.. Tokens(outputs).Select(token => token.Choice.Id)]), text);
    }

    [Fact]
    public void Prefill_and_decode_are_timed_apart_and_the_caller_s_time_is_not_counted()
    {
        var time = new SteppingTime();
        using var generator = new LocalGenerator(_checkpoint.Source, _team, promptChunk: 2, time);
        LocalTiming? timing = null;
        foreach (var output in generator.Generate(Prompt, Endless with { MaxTokens = 4 }, Tokenizer))
        {
            time.Skip(1000);
            timing = (output as GenerationEnd)?.Timing;
        }

        // One tick passes between two looks at the clock: three chunks and the first draw, then three tokens.
        Assert.Equal(new LocalTiming(5, 4, TimeSpan.FromTicks(4), TimeSpan.FromTicks(3)), timing);
    }

    [Fact]
    public void Prompts_that_cannot_be_answered_are_refused_at_once()
    {
        Assert.Contains("no tokens", Assert.Throws<ArgumentException>(() => _generator.Generate(Array.Empty<int>(), Endless, Tokenizer)).Message, StringComparison.Ordinal);
        Assert.Contains("no room", Assert.Throws<ArgumentException>(() => _generator.Generate(new int[64], Endless, Tokenizer)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => _generator.Generate(new[] { 1, 261 }, Endless, Tokenizer));
        Assert.Throws<ArgumentOutOfRangeException>(() => _generator.Generate(new[] { -1 }, Endless, Tokenizer));
        Assert.Single(Tokens(_generator.Generate(new int[63], Endless, Tokenizer)));
    }

    public void Dispose()
    {
        _generator.Dispose();
        _team.Dispose();
        _checkpoint.Dispose();
    }

    private static GeneratedToken[] Tokens(IEnumerable<GenerationOutput> outputs) => [.. outputs.OfType<GeneratedToken>()];

    private static IEnumerable<string> Describe(GeneratedToken[] tokens) =>
        tokens.Select(token => $"{token.Choice.Id} {token.Choice.Logprob:R} {string.Join(' ', token.Choice.Top)} {token.Text}");

    private sealed class SteppingTime : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now++;

        public void Skip(long ticks) => _now += ticks;
    }
}
