using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Divides a model among few devices, or among ones whose memory together hardly holds it: each gets a part of its own, the times per token
/// (bytes read over speed) as even as whole units allow. Devices beyond the number of units, or of hops a route may have, become replicas
/// of the ranges that carry the most load. Finds a cover whenever there is one, for up to 16 devices.
/// </summary>
internal static class SpreadPlacement
{
    /// <summary>A plan stays while it is possible, uses every device, and its slowest device needs at most this many times the time of a fresh plan's.</summary>
    private const double KeepSlack = 1.25;

    /// <summary>The range of each of <paramref name="devices"/> that gets one, or null when they cannot cover the model; of all that are able, when the plan so far stays.</summary>
    public static Dictionary<DeviceId, LayerRange>? Cover(
        ServedModel model, UnitCosts costs, List<PlacementDevice> devices, List<PlacementDevice> able, Dictionary<DeviceId, LayerRange> before, PlacementPlan? previous)
    {
        if (devices.Count == 0)
        {
            return null;
        }

        var hops = Hops(devices, before);
        var fresh = new RangeSplitter(costs, hops, new LayerRange?[hops.Count]);
        var orders = new DeviceOrders(costs, hops);
        if (orders.Fresh(fresh) is not { } freshOrder)
        {
            return null;
        }

        var best = fresh.Of(freshOrder)!;
        if (previous is { Problem: null } && StillGood(costs, devices, able, before, best))
        {
            return before;
        }

        var held = hops.Select(device => PlacementPlanner.Held(model, device, before)).ToArray();
        var splitter = new RangeSplitter(costs, hops, held);
        var chosen = Split.Choose([splitter.Of(orders.Kept(splitter, held)), splitter.Of(freshOrder)])!;
        var ranges = new Dictionary<DeviceId, LayerRange>();
        for (var k = 0; k < chosen.Order.Length; k++)
        {
            if (chosen.Ranges[k] is { } range)
            {
                ranges.Add(hops[chosen.Order[k]].Device, range);
            }
        }

        Replicate(model, costs, devices, ranges, before);
        return ranges;
    }

    /// <summary>Those that may hold a part of their own: all, or as many as a route may have hops. First those that have a range, then the large and quick.</summary>
    private static List<PlacementDevice> Hops(List<PlacementDevice> devices, Dictionary<DeviceId, LayerRange> before)
    {
        if (devices.Count <= ProtocolLimits.Hops)
        {
            return devices;
        }

        // One of each range that is held, so that none of them is lost among replicas of the others.
        var firsts = devices.Where(device => before.ContainsKey(device.Device)).GroupBy(device => before[device.Device]).Select(same => same.First().Device).ToHashSet();
        return [.. devices
            .OrderByDescending(device => firsts.Contains(device.Device))
            .ThenByDescending(device => device.WeightBytes)
            .ThenByDescending(device => device.BytesPerSecond)
            .Take(ProtocolLimits.Hops)
            .OrderBy(device => device.Device.Value, StringComparer.Ordinal)];
    }

    private static bool StillGood(UnitCosts costs, List<PlacementDevice> devices, List<PlacementDevice> able, Dictionary<DeviceId, LayerRange> before, Split fresh)
    {
        // Whoever has a range and became slow since may keep it as long as the time of the whole allows: speeds are measured and vary.
        var byId = able.ToDictionary(device => device.Device);
        if (before.Any(assignment => !byId.TryGetValue(assignment.Key, out var device) || assignment.Value.End > costs.Count || costs.Bytes(assignment.Value) > device.WeightBytes))
        {
            return false;
        }

        var ranges = before.Values.Distinct().OrderBy(range => range.First).ToArray();
        var ends = ranges.Select(range => range.End);
        if (ranges.Length < fresh.Order.Length - fresh.Unused || !ranges.Select(range => range.First).SequenceEqual(ends.SkipLast(1).Prepend(0)) || ends.Last() != costs.Count)
        {
            return false;
        }

        var least = ranges.Min(costs.Bytes);
        if (devices.Any(device => !before.ContainsKey(device.Device) && device.WeightBytes >= least))
        {
            return false;
        }

        var slowest = ranges.Max(range => before.Where(other => other.Value == range).Min(other => costs.Reads(range) / byId[other.Key].BytesPerSecond));
        return ranges.Length > fresh.Order.Length - fresh.Unused || slowest <= fresh.BestSeconds * KeepSlack;
    }

    private static void Replicate(
        ServedModel model, UnitCosts costs, List<PlacementDevice> devices, Dictionary<DeviceId, LayerRange> ranges, Dictionary<DeviceId, LayerRange> before)
    {
        var speeds = devices.Where(device => ranges.ContainsKey(device.Device)).ToDictionary(device => ranges[device.Device], device => device.BytesPerSecond);
        var rest = devices.Where(device => !ranges.ContainsKey(device.Device)).ToList();

        // Those that stay come first, so that the others go where help is still needed.
        foreach (var device in rest.OrderByDescending(Stays).ThenByDescending(device => device.BytesPerSecond))
        {
            var fitting = speeds.Keys.Where(range => costs.Bytes(range) <= device.WeightBytes).ToList();
            if (fitting.Count > 0)
            {
                var range = Stays(device)
                    ? PlacementPlanner.Held(model, device, before)!.Value
                    : fitting.OrderByDescending(range => costs.Reads(range) / speeds[range]).ThenBy(range => range.First).First();
                ranges.Add(device.Device, range);
                speeds[range] += device.BytesPerSecond;
            }
        }

        bool Stays(PlacementDevice device)
            => PlacementPlanner.Held(model, device, before) is { } held && speeds.ContainsKey(held) && costs.Bytes(held) <= device.WeightBytes;
    }
}
