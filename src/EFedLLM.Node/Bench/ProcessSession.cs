using System.Diagnostics;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Bench;

/// <summary>A model loaded in this process, with the buffers and the threads of all repetitions. Not thread-safe.</summary>
internal sealed class ProcessSession : IDisposable
{
    private readonly TransformerShard _shard;
    private readonly ComputeTeam _team;
    private readonly KvCache _cache;
    private readonly BenchSettings _settings;
    private readonly int[] _prompt;
    private readonly float[] _hidden;
    private readonly float[] _logits;
    private readonly int[] _token = [0];
    private readonly Sampler _sampler = new();
    private readonly ShardStep[] _steps;
    private readonly SessionBatch? _together;

    /// <summary>Loads the model, which must outlive the session.</summary>
    /// <param name="model">The model.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="settings">How many tokens, in which steps, and within how much memory.</param>
    /// <exception cref="NotSupportedException">So little memory is too little; the message says how much it takes.</exception>
    public ProcessSession(FactoredModel model, int threads, BenchSettings settings)
    {
        _shard = TransformerShard.Load(model, LayerRange.Whole(model.Shape.Layers), settings.WeightBytes);
        _team = new ComputeTeam(threads);
        _cache = _shard.CreateCache(settings.PromptTokens + settings.DecodeTokens);
        _settings = settings;
        _prompt = settings.Prompt(model.Shape.VocabularySize);
        _hidden = new float[Math.Min(settings.Chunk, settings.PromptTokens) * model.Shape.HiddenSize];
        _logits = new float[model.Shape.VocabularySize];
        _steps = [new ShardStep { Cache = _cache }];
        _together = settings.Sessions > 1 ? new SessionBatch(_shard, _team, settings) : null;
    }

    /// <summary>Bytes that a step reads from disk.</summary>
    public long StreamedBytes => _shard.StreamedBytes;

    /// <summary>Reads the prompt into an empty cache, up to the first token's logits.</summary>
    public TimeSpan Prefill()
    {
        _cache.Truncate(0);
        var start = Stopwatch.GetTimestamp();
        for (var position = 0; position < _prompt.Length; position += _settings.Chunk)
        {
            var count = Math.Min(_settings.Chunk, _prompt.Length - position);
            Step(_prompt.AsMemory(position, count), position + count == _prompt.Length);
        }

        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>Generates from where the cache is: the likeliest token each time.</summary>
    public TimeSpan Decode(CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        for (var index = 0; index < _settings.DecodeTokens; index++)
        {
            cancellation.ThrowIfCancellationRequested();
            _token[0] = _sampler.Draw(_logits, SamplingSettings.Greedy, _cache.Length).Id;
            Step(_token, true);
        }

        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>The same in several sessions at once, of their own.</summary>
    /// <exception cref="InvalidOperationException">The settings want but one.</exception>
    public TimeSpan DecodeTogether(CancellationToken cancellation) =>
        (_together ?? throw new InvalidOperationException("The settings want one session alone.")).Decode(cancellation);

    /// <summary>Computes tokens one by one from an empty cache, each with its logits, of which none is drawn: what llama-bench takes the time of.</summary>
    public TimeSpan DecodeUndrawn(CancellationToken cancellation)
    {
        _cache.Truncate(0);
        var start = Stopwatch.GetTimestamp();
        for (var index = 0; index < _settings.DecodeTokens; index++)
        {
            cancellation.ThrowIfCancellationRequested();
            _token[0] = _prompt[index % _prompt.Length];
            Step(_token, true);
        }

        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>
    /// Bytes allocated to compute one token, without the pages by which the cache grows: a position is computed again and again.
    /// Of two neighbouring positions one is not the first of a page.
    /// </summary>
    public long AllocatedByOneToken()
    {
        var length = _cache.Length;
        return Math.Min(At(length - 1), At(length - 2));

        long At(int position)
        {
            const int Repeats = 8;
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var repeat = 0; repeat < Repeats; repeat++)
            {
                _cache.Truncate(position);
                Step(_token, true);
                _sampler.Draw(_logits, SamplingSettings.Greedy, _cache.Length);
            }

            return (GC.GetAllocatedBytesForCurrentThread() - before) / Repeats;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _together?.Dispose();
        _cache.Dispose();
        _team.Dispose();
        _shard.Dispose();
    }

    private void Step(ReadOnlyMemory<int> tokens, bool draw)
    {
        var step = _steps[0];
        step.Count = tokens.Length;
        step.Tokens = tokens;
        step.Hidden = _hidden.AsMemory(0, tokens.Length * _shard.Shape.HiddenSize);
        step.LogitRows = draw ? 1 : 0;
        step.Logits = draw ? _logits : default(Memory<float>);
        _shard.Forward(_steps, _team);
    }
}
