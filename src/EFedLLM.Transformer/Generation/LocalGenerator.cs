using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Generation;

/// <summary>
/// One whole model in one process: what a cluster of devices is compared with, token by token and bit by bit. One
/// generation at a time.
/// </summary>
public sealed class LocalGenerator : IDisposable
{
    private readonly TransformerShard _shard;
    private readonly ComputeTeam _team;
    private readonly int _promptChunk;
    private readonly TimeProvider _time;
    private readonly Sampler _sampler = new();
    private readonly float[] _logits;

    /// <summary>Loads a whole model.</summary>
    /// <param name="source">The model, which must outlive the generator.</param>
    /// <param name="team">The threads that compute; they stay the caller's.</param>
    /// <param name="promptChunk">Most positions of the prompt in one step: more are faster, but take memory in proportion. At least 1.</param>
    /// <param name="time">Measures the timing; the system's where it is null.</param>
    /// <param name="memory">Bytes of memory for weights; what does not fit is read from disk for every step.</param>
    /// <exception cref="NotSupportedException">The model is an encoder, or so little memory is too little; the message says how much it takes.</exception>
    /// <exception cref="InvalidDataException">The weights are damaged.</exception>
    public LocalGenerator(IModelSource source, ComputeTeam team, int promptChunk = 512, TimeProvider? time = null, long memory = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(team);
        DecoderRule.Check(source);
        ArgumentOutOfRangeException.ThrowIfLessThan(promptChunk, 1);
        (_team, _promptChunk, _time) = (team, promptChunk, time ?? TimeProvider.System);
        _shard = TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers), memory);
        _logits = new float[source.Shape.VocabularySize];
    }

    /// <summary>The model's hyper-parameters.</summary>
    public ModelShape Shape => _shard.Shape;

    /// <summary>Bytes of weights read for one token.</summary>
    public long WeightBytesPerToken => _shard.WeightBytesPerToken;

    /// <summary>
    /// Generates an answer, computing each token when it is asked for: every token, then how it ended. Prompt and answer
    /// together have at most the context's positions; there the answer ends with <see cref="FinishReason.Length"/>.
    /// A cancelled generation ends with <see cref="FinishReason.Cancelled"/> behind the step that is running.
    /// </summary>
    /// <param name="prompt">Token ids, at least one, fewer than the context has positions.</param>
    /// <param name="settings">How tokens are drawn, and when the answer ends.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="cancellation">Ends the generation.</param>
    /// <exception cref="ArgumentException">The prompt is empty, too long, or has an id outside of the vocabulary.</exception>
    /// <exception cref="ArithmeticException">The model computed a value that is not finite.</exception>
    public IEnumerable<GenerationOutput> Generate(ReadOnlyMemory<int> prompt, GenerationSettings settings, ModelTokenizer tokenizer, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (prompt.IsEmpty)
        {
            throw new ArgumentException("The prompt has no tokens: begin with the model's begin token or some text.", nameof(prompt));
        }

        if (prompt.Length >= Shape.ContextLength)
        {
            throw new ArgumentException($"The prompt has {prompt.Length} tokens, which leaves no room for an answer in the model's context of {Shape.ContextLength}: shorten it.", nameof(prompt));
        }

        foreach (var id in prompt.Span)
        {
            if ((uint)id >= (uint)Shape.VocabularySize)
            {
                throw new ArgumentOutOfRangeException(nameof(prompt), id, $"The prompt has an id outside of the model's vocabulary of {Shape.VocabularySize}.");
            }
        }

        return Run(prompt, settings.Sampling, new AnswerText(tokenizer, settings, Shape.EndTokens), cancellation);
    }

    /// <summary>Releases the weights.</summary>
    public void Dispose() => _shard.Dispose();

    private IEnumerable<GenerationOutput> Run(ReadOnlyMemory<int> prompt, SamplingSettings sampling, AnswerText answer, CancellationToken cancellation)
    {
        using var cache = _shard.CreateCache(Shape.ContextLength);
        var steps = new[] { new ShardStep { Cache = cache, Logits = _logits } };
        var token = new int[1];
        var (generated, prefill, decode) = (0, TimeSpan.Zero, TimeSpan.Zero);

        for (var fed = 0; fed < prompt.Length && !cancellation.IsCancellationRequested; fed += steps[0].Count)
        {
            var start = _time.GetTimestamp();
            var count = Math.Min(_promptChunk, prompt.Length - fed);
            Feed(steps, prompt.Slice(fed, count), wantsLogits: fed + count == prompt.Length);
            prefill += _time.GetElapsedTime(start);
        }

        while (!cancellation.IsCancellationRequested)
        {
            var start = _time.GetTimestamp();
            if (generated > 0)
            {
                Feed(steps, token, wantsLogits: true);
            }

            var choice = _sampler.Draw(_logits, sampling, prompt.Length + generated);
            token[0] = choice.Id;
            var text = answer.Append(choice.Id);
            var elapsed = _time.GetElapsedTime(start);
            (prefill, decode) = generated++ == 0 ? (prefill + elapsed, decode) : (prefill, decode + elapsed);
            yield return new GeneratedToken(choice, text);
            if (answer.Finished is not null || prompt.Length + generated == Shape.ContextLength)
            {
                break;
            }
        }

        var reason = answer.Finished ?? (cancellation.IsCancellationRequested ? FinishReason.Cancelled : FinishReason.Length);
        var rest = answer.End(reason);
        yield return new GenerationEnd(reason, rest, new LocalTiming(prompt.Length, generated, prefill, decode));
    }

    private void Feed(ShardStep[] steps, ReadOnlyMemory<int> tokens, bool wantsLogits)
    {
        (steps[0].Tokens, steps[0].Count, steps[0].LogitRows) = (tokens, tokens.Length, wantsLogits ? 1 : 0);
        _shard.Forward(steps, _team);
    }
}
