using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Tests.Support;

/// <summary>A model cut into shards of some units each, through which sessions are fed like through the hops of a route.</summary>
internal sealed class ShardPipeline : IDisposable
{
    private readonly TransformerShard[] _shards;
    private readonly ComputeTeam _team;

    /// <param name="source">The model.</param>
    /// <param name="team">The threads that compute; they stay the caller's.</param>
    /// <param name="cuts">The units at which a new shard begins.</param>
    public ShardPipeline(IModelSource source, ComputeTeam team, params int[] cuts)
    {
        _team = team;
        int[] bounds = [0, .. cuts, source.Shape.Units];
        _shards = [.. bounds.Zip(bounds.Skip(1), (first, end) => TransformerShard.Load(source, new LayerRange(first, end)))];
    }

    private ModelShape Shape => _shards[0].Shape;

    /// <summary>New caches for a session, one on each shard.</summary>
    public KvCache[] Open() => [.. _shards.Select(shard => shard.CreateCache(Shape.ContextLength))];

    /// <summary>Feeds the next tokens of some sessions as one batch and returns the logits of every position of each.</summary>
    public float[][] Feed(params (KvCache[] Caches, int[] Tokens)[] sessions)
    {
        var hidden = sessions.Select(session => new float[session.Tokens.Length * Shape.HiddenSize]).ToArray();
        var logits = sessions.Select(session => new float[session.Tokens.Length * Shape.VocabularySize]).ToArray();
        for (var hop = 0; hop < _shards.Length; hop++)
        {
            _shards[hop].Forward(
                [.. sessions.Select((session, i) => new ShardStep
                {
                    Cache = session.Caches[hop],
                    Count = session.Tokens.Length,
                    Tokens = session.Tokens,
                    Hidden = hidden[i],
                    LogitRows = session.Tokens.Length,
                    Logits = logits[i],
                })],
                _team);
        }

        return logits;
    }

    /// <summary>The logits of every position of one session, fed in chunks.</summary>
    public float[] Feed(int[] tokens, int chunk)
    {
        var caches = Open();
        return [.. tokens.Chunk(chunk).SelectMany(part => Feed((caches, part))[0])];
    }

    public void Dispose()
    {
        foreach (var shard in _shards)
        {
            shard.Dispose();
        }
    }
}
