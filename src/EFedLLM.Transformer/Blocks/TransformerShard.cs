using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>A contiguous range of a model's units, loaded and ready to compute. Not thread-safe: one caller at a time.</summary>
public sealed class TransformerShard : IDisposable
{
    private TransformerShard(ModelShape shape, LayerRange range) => (Shape, Range) = (shape, range);

    /// <summary>The model's hyper-parameters.</summary>
    public ModelShape Shape { get; }

    /// <summary>The units this shard holds.</summary>
    public LayerRange Range { get; }

    /// <summary>Bytes of weights held.</summary>
    public long WeightBytes { get; }

    /// <summary>Bytes of weights read to compute one step of one token.</summary>
    public long WeightBytesPerToken { get; }

    /// <summary>Loads the units <paramref name="range"/> of <paramref name="source"/>, which must outlive the shard.</summary>
    public static TransformerShard Load(IModelSource source, LayerRange range)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new TransformerShard(source.Shape, range);
    }

    /// <summary>Creates an empty cache for a session of at most <paramref name="limit"/> positions.</summary>
    public KvCache CreateCache(int limit) => new(Shape, Range, limit);

    /// <summary>Computes all steps as one batch. The bits of each step's result do not depend on the other steps, on how a session's positions are cut into steps, or on the team.</summary>
    /// <param name="steps">At most one step per cache.</param>
    /// <param name="team">The threads that share the work.</param>
    public void Forward(ReadOnlySpan<ShardStep> steps, ComputeTeam team) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
