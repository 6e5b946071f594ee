using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// Which units of a range stay in memory, and which are read from their files for every step because memory does not hold them all. Those
/// pass through two windows of the largest one's size, of which one is read while the other is computed. Of an embedding a token
/// reads one row, which is read from the file as soon as anything does not fit. Pure: the same arguments give the same plan.
/// </summary>
public sealed record StreamPlan
{
    private const int Windows = 2;

    private StreamPlan(LayerRange range, ImmutableArray<int> streamed, long memory, long streamedBytes) =>
        (Range, Streamed, MemoryBytes, StreamedBytes) = (range, streamed, memory, streamedBytes);

    /// <summary>The range.</summary>
    public LayerRange Range { get; }

    /// <summary>The units that are read for every step, in order; never one or two of them, which the windows would hold.</summary>
    public ImmutableArray<int> Streamed { get; }

    /// <summary>Bytes of memory that weights and windows take.</summary>
    public long MemoryBytes { get; }

    /// <summary>Bytes that a step reads from disk, rows of the embedding aside.</summary>
    public long StreamedBytes { get; }

    /// <summary>The plan that reads the least from disk.</summary>
    /// <param name="unitBytes">Bytes of each unit of the model: embedding, layers, head.</param>
    /// <param name="range">The range.</param>
    /// <param name="memory">Bytes of memory that it may take.</param>
    /// <returns>The plan, or null where not even the windows fit.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The model has no such range.</exception>
    public static StreamPlan? Of(ReadOnlySpan<long> unitBytes, LayerRange range, long memory)
    {
        var layers = unitBytes.Length - 2;
        if (!range.IsValid(layers))
        {
            throw new ArgumentOutOfRangeException(nameof(range), range, $"The model has the units {LayerRange.Whole(layers)}.");
        }

        var need = StreamNeed.Of(unitBytes, range);
        if (need.StreamedBytes(memory) is not { } about)
        {
            return null;
        }

        if (about == 0)
        {
            return new StreamPlan(range, [], need.TotalBytes <= memory ? need.TotalBytes : need.TotalBytes - need.EmbeddingBytes, 0);
        }

        return Spread(unitBytes, range, need, memory);
    }

    /// <summary>Keeps as many units as fit, spread evenly over the range: while one that stays is computed, the next that does not is read.</summary>
    private static StreamPlan Spread(ReadOnlySpan<long> unitBytes, LayerRange range, StreamNeed need, long memory)
    {
        var (first, end) = (range.FirstLayer + 1, range.EndLayer(unitBytes.Length - 2) + 1);
        var keepsHead = need.KeepsHead(memory);
        var left = memory - need.WindowBytes(keepsHead) - (keepsHead ? need.HeadBytes : 0);
        var count = end - first;
        var kept = new bool[unitBytes.Length];
        var fitting = Math.Min(left / Math.Max(need.LargestLayerBytes, 1), count);
        for (var layer = 0; layer < count; layer++)
        {
            if ((layer + 1) * fitting / count > layer * fitting / count)
            {
                Keep(first + layer, unitBytes);
            }
        }

        for (var unit = first; unit < end; unit++)
        {
            if (!kept[unit] && unitBytes[unit] <= left)
            {
                Keep(unit, unitBytes);
            }
        }

        var streamed = ImmutableArray.CreateBuilder<int>();
        var (streamedBytes, largest, memoryBytes) = (0L, 0L, 0L);
        for (var unit = first; unit < range.End; unit++)
        {
            if (kept[unit] || (unit == end && keepsHead))
            {
                memoryBytes += unitBytes[unit];
                continue;
            }

            streamed.Add(unit);
            streamedBytes += unitBytes[unit];
            largest = Math.Max(largest, unitBytes[unit]);
        }

        return new StreamPlan(range, streamed.ToImmutable(), memoryBytes + (Windows * largest), streamedBytes);

        void Keep(int unit, ReadOnlySpan<long> bytes)
        {
            kept[unit] = true;
            left -= bytes[unit];
        }
    }
}
