using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Divides a model among devices whose memory together does not hold it: what a device has no room for it reads from its disk for every
/// step. Takes the division with the least time per token over all hops; devices that would save none get nothing.
/// </summary>
internal static class StreamedPlacement
{
    /// <summary>What a disk is taken to give a second, in bytes. It is not measured: how much a device has to read counts for more than how quickly it does.</summary>
    public const double DiskBytesPerSecond = 2e9;

    /// <summary>A plan stays while it is possible and a token takes at most this many times as long as with a fresh one.</summary>
    private const double KeepSlack = 1.25;

    /// <summary>Most devices that are looked at: steps grow with them and with the square of the units.</summary>
    private const int MostDevices = 64;

    /// <summary>The range of each device that gets one, or null when they cannot cover the model even so.</summary>
    /// <param name="costs">The model.</param>
    /// <param name="able">The devices.</param>
    /// <param name="before">What each was told before.</param>
    public static Dictionary<DeviceId, LayerRange>? Cover(UnitCosts costs, List<PlacementDevice> able, Dictionary<DeviceId, LayerRange> before)
    {
        PlacementDevice[] devices = [.. able
            .OrderByDescending(device => device.WeightBytes)
            .ThenByDescending(device => device.BytesPerSecond)
            .ThenBy(device => device.Device.Value, StringComparer.Ordinal)
            .Take(MostDevices)];
        var (seconds, firsts) = Divide(costs, devices);
        if (double.IsPositiveInfinity(seconds))
        {
            return null;
        }

        if (SecondsOf(costs, able, before) <= seconds * KeepSlack)
        {
            return before;
        }

        var ranges = new Dictionary<DeviceId, LayerRange>();
        for (var (device, end) = (devices.Length - 1, costs.Count); device >= 0; device--)
        {
            if (firsts[device][end] is var first && first < end)
            {
                ranges.Add(devices[device].Device, new LayerRange(first, end));
                end = first;
            }
        }

        return ranges;
    }

    /// <summary>Time per token of a range on a device; infinite where it cannot hold it even streamed.</summary>
    public static double Seconds(PlacementDevice device, StreamNeed need, long reads)
        => need.TotalBytes <= device.WeightBytes ? reads / device.BytesPerSecond
            : need.StreamedBytes(device.WeightBytes) is { } streamed ? (reads / device.BytesPerSecond) + (streamed / DiskBytesPerSecond)
            : double.PositiveInfinity;

    /// <summary>The least time, and for each device and end where its range begins: at the end itself where it gets none.</summary>
    private static (double Seconds, int[][] Firsts) Divide(UnitCosts costs, PlacementDevice[] devices)
    {
        var best = new double[costs.Count + 1];
        Array.Fill(best, double.PositiveInfinity);
        best[0] = 0;
        var firsts = new int[devices.Length][];
        for (var device = 0; device < devices.Length; device++)
        {
            firsts[device] = new int[costs.Count + 1];

            // From the end, so that what stands to the left is still without this device.
            for (var end = costs.Count; end >= 0; end--)
            {
                firsts[device][end] = end;
                var need = default(StreamNeed);
                for (var first = end - 1; first >= 0; first--)
                {
                    need = need.With(first, costs.UnitBytes);
                    var here = Seconds(devices[device], need, costs.Reads(first, end));
                    if (double.IsPositiveInfinity(here))
                    {
                        break;
                    }

                    if (best[first] + here < best[end])
                    {
                        (best[end], firsts[device][end]) = (best[first] + here, first);
                    }
                }
            }
        }

        return (best[costs.Count], firsts);
    }

    /// <summary>Time per token of what was planned before; infinite where that is no cover any more.</summary>
    private static double SecondsOf(UnitCosts costs, List<PlacementDevice> able, Dictionary<DeviceId, LayerRange> before)
    {
        var byId = able.ToDictionary(device => device.Device);
        var (seconds, covered) = (0.0, 0);
        foreach (var (device, range) in before.OrderBy(assignment => assignment.Value.First))
        {
            if (!byId.TryGetValue(device, out var here) || range.First != covered || !range.IsValid(costs.Count - 2))
            {
                return double.PositiveInfinity;
            }

            seconds += Seconds(here, StreamNeed.Of(costs.UnitBytes, range), costs.Reads(range));
            covered = range.End;
        }

        return covered == costs.Count ? seconds : double.PositiveInfinity;
    }
}
