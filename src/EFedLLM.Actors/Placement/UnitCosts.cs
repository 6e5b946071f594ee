using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>What ranges of a model's units cost: bytes to hold, and bytes that a token reads.</summary>
internal sealed class UnitCosts
{
    // A unit of a petabyte is none: a sum of as many units as a model may have must not overflow.
    private const long MostUnitBytes = 1L << 50;

    private readonly long[] _bytes;
    private readonly long[] _reads;
    private readonly long[] _units;

    /// <summary>Of <paramref name="model"/>.</summary>
    public UnitCosts(ServedModel model)
    {
        Count = model.UnitBytes.Length;
        (_bytes, _reads) = (Sums(model.UnitBytes.AsSpan()), Sums(model.UnitReadBytes.AsSpan()));
        _units = [.. Enumerable.Range(0, Count).Select(unit => Bytes(unit, unit + 1))];
    }

    /// <summary>Number of units.</summary>
    public int Count { get; }

    /// <summary>Bytes to hold each unit.</summary>
    public ReadOnlySpan<long> UnitBytes => _units;

    /// <summary>Bytes of the whole model.</summary>
    public long TotalBytes => _bytes[Count];

    /// <summary>Bytes to hold units <c>[first, end)</c>.</summary>
    public long Bytes(int first, int end) => _bytes[end] - _bytes[first];

    /// <summary>Bytes to hold <paramref name="range"/>.</summary>
    public long Bytes(LayerRange range) => Bytes(range.First, range.End);

    /// <summary>Bytes a token reads of units <c>[first, end)</c>.</summary>
    public long Reads(int first, int end) => _reads[end] - _reads[first];

    /// <summary>Bytes a token reads of <paramref name="range"/>.</summary>
    public long Reads(LayerRange range) => Reads(range.First, range.End);

    /// <summary>Bytes of units <c>[first, end)</c> that whoever holds <paramref name="held"/> has to load.</summary>
    public long Missing(int first, int end, LayerRange? held)
    {
        var kept = held is { } range ? (First: Math.Max(first, range.First), End: Math.Min(end, range.End)) : default;
        return Bytes(first, end) - (kept.First < kept.End ? Bytes(kept.First, kept.End) : 0);
    }

    /// <summary>
    /// Bytes of units <c>[first, end)</c> that <paramref name="device"/> has to load, those on its disk counted for an eighth: a disk is about
    /// so much quicker than a network.
    /// </summary>
    /// <param name="device">The device; the ranges of its <see cref="PlacementDevice.HeldUnits"/> do not overlap.</param>
    /// <param name="held">What it holds in memory.</param>
    /// <param name="first">First unit.</param>
    /// <param name="end">One past the last.</param>
    public long ToLoad(PlacementDevice device, LayerRange? held, int first, int end)
    {
        var missing = Missing(first, end, held);
        var onDisk = 0L;
        foreach (var range in device.HeldUnits)
        {
            var (from, to) = (Math.Max(first, range.First), Math.Min(end, range.End));
            onDisk += from < to ? Missing(from, to, held) : 0;
        }

        return missing - onDisk + (onDisk / 8);
    }

    private static long[] Sums(ReadOnlySpan<long> units)
    {
        var sums = new long[units.Length + 1];
        for (var i = 0; i < units.Length; i++)
        {
            sums[i + 1] = sums[i] + Math.Clamp(units[i], 0, MostUnitBytes);
        }

        return sums;
    }
}
