using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Caching;

/// <summary>The keys and values of one session on one shard, for every transformer layer of the shard's range. Paged: memory grows with the positions used, up to a limit fixed at creation.</summary>
public sealed class KvCache : IDisposable
{
    internal KvCache(ModelShape shape, LayerRange range, int limit)
    {
        (Shape, Range, Limit) = (shape, range, limit);
    }

    /// <summary>Most positions the cache may hold.</summary>
    public int Limit { get; }

    /// <summary>Positions held: the position the next step must begin at.</summary>
    public int Length { get; internal set; }

    internal ModelShape Shape { get; }

    internal LayerRange Range { get; }

    /// <summary>Bytes the cache of a whole session of <paramref name="positions"/> positions takes on a shard of this range.</summary>
    public static long BytesFor(ModelShape shape, LayerRange range, int positions)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return 2L * sizeof(float) * (range.EndLayer(shape.Layers) - range.FirstLayer) * shape.KeyValueHeads * shape.HeadSize * positions;
    }

    /// <summary>Forgets every position from <paramref name="length"/> on.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
