using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement.Simulation;

/// <summary>A device of a simulation, as it is at the moment.</summary>
internal sealed class SimulatedDevice(DeviceId id, long weightBytes, double bytesPerSecond, double networkBytesPerSecond)
{
    /// <summary>What a usual disk reads each second.</summary>
    private const double DiskBytesPerSecond = 1e9;

    /// <summary>Its id.</summary>
    public DeviceId Id => id;

    /// <summary>What it serves, or null.</summary>
    public LayerRange? Serving { get; set; }

    /// <summary>What it is told to hold, or null.</summary>
    public LayerRange? Told { get; set; }

    /// <summary>Whether the planner counts on it.</summary>
    public bool IsKnown { get; set; }

    /// <summary>Whether it is there.</summary>
    public bool IsHere { get; set; }

    /// <summary>Whether it said that it goes.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>Whether it got nothing yet since it came.</summary>
    public bool IsArriving { get; set; }

    /// <summary>Units on its disk.</summary>
    public ImmutableArray<LayerRange> OnDisk { get; set; } = [];

    /// <summary>Grows with each thing that it begins, so that the end of an earlier one means nothing any more.</summary>
    public int Turn { get; set; }

    /// <summary>Memory for weights.</summary>
    public long WeightBytes => weightBytes;

    /// <summary>As the planner sees it.</summary>
    public PlacementDevice Facts() => new(id, weightBytes, bytesPerSecond, true, Serving, IsLeaving) { HeldUnits = OnDisk };

    /// <summary>Bytes to fetch for a range, and how long it takes until it is served.</summary>
    public (long Bytes, TimeSpan Time) Load(UnitCosts costs, LayerRange range)
    {
        var (fetched, read) = (0L, 0L);
        for (var unit = range.First; unit < range.End; unit++)
        {
            var bytes = costs.Bytes(unit, unit + 1);
            if (Serving is { } held && held.First <= unit && unit < held.End)
            {
                continue;
            }

            read += bytes;
            fetched += OnDisk.Any(disk => disk.First <= unit && unit < disk.End) ? 0 : bytes;
        }

        return (fetched, TimeSpan.FromSeconds((fetched / networkBytesPerSecond) + (read / DiskBytesPerSecond)));
    }

    /// <summary>A range is on its disk from now on.</summary>
    public void Keep(LayerRange range)
    {
        var (first, end) = (range.First, range.End);
        var others = ImmutableArray.CreateBuilder<LayerRange>();
        foreach (var disk in OnDisk)
        {
            if (disk.First <= end && first <= disk.End)
            {
                (first, end) = (Math.Min(first, disk.First), Math.Max(end, disk.End));
            }
            else
            {
                others.Add(disk);
            }
        }

        others.Add(new LayerRange(first, end));
        OnDisk = others.ToImmutable();
    }
}
