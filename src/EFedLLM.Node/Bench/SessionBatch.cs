using System.Diagnostics;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Bench;

/// <summary>Sessions that generate at once: each step computes one token of every session as one batch, as a shard does. Not thread-safe.</summary>
internal sealed class SessionBatch : IDisposable
{
    private readonly TransformerShard _shard;
    private readonly ComputeTeam _team;
    private readonly BenchSettings _settings;
    private readonly Sampler _sampler = new();
    private readonly ShardStep[] _steps;
    private readonly int[] _tokens;

    /// <summary>Reads the prompt into the cache of each session.</summary>
    /// <param name="shard">The whole model.</param>
    /// <param name="team">The threads.</param>
    /// <param name="settings">How many sessions and tokens.</param>
    public SessionBatch(TransformerShard shard, ComputeTeam team, BenchSettings settings)
    {
        (_shard, _team, _settings) = (shard, team, settings);
        var (width, vocabulary) = (shard.Shape.HiddenSize, shard.Shape.VocabularySize);
        _tokens = new int[settings.Sessions];
        _steps = [.. Enumerable.Range(0, settings.Sessions).Select(_ => new ShardStep { Cache = shard.CreateCache(settings.PromptTokens + settings.DecodeTokens) })];
        var prompt = settings.Prompt(vocabulary);
        for (var session = 0; session < _steps.Length; session++)
        {
            var step = _steps[session];
            for (var position = 0; position < prompt.Length; position += settings.Chunk)
            {
                step.Count = Math.Min(settings.Chunk, prompt.Length - position);
                step.Tokens = prompt.AsMemory(position, step.Count);
                shard.Forward([step], team);
            }

            (step.Count, step.LogitRows, step.Hidden, step.Logits) = (1, 1, new float[width], new float[vocabulary]);
            step.Tokens = _tokens.AsMemory(session, 1);
        }
    }

    /// <summary>Generates from the end of the prompt in each session: the likeliest token each time.</summary>
    public TimeSpan Decode(CancellationToken cancellation)
    {
        for (var session = 0; session < _steps.Length; session++)
        {
            _steps[session].Cache.Truncate(_settings.PromptTokens);
            _tokens[session] = session;
        }

        var start = Stopwatch.GetTimestamp();
        for (var index = 0; index < _settings.DecodeTokens; index++)
        {
            cancellation.ThrowIfCancellationRequested();
            _shard.Forward(_steps, _team);
            for (var session = 0; session < _steps.Length; session++)
            {
                _tokens[session] = _sampler.Draw(_steps[session].Logits.Span, SamplingSettings.Greedy, _steps[session].Cache.Length).Id;
            }
        }

        return Stopwatch.GetElapsedTime(start);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var step in _steps)
        {
            step.Cache.Dispose();
        }
    }
}
