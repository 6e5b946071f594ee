using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Decides which device holds which units of a model. Pure: the same arguments give the same plan. Every device that can help gets one
/// contiguous range within its memory; the times per token (bytes read over speed) are as even as whole units allow; devices beyond the
/// number of units, or of hops a route may have, become replicas of the ranges that carry the most load. What is held already stays where
/// that costs little speed.
/// </summary>
public static class PlacementPlanner
{
    /// <summary>A plan stays while it is possible, uses every device, and its slowest device needs at most this many times the time of a fresh plan's.</summary>
    private const double KeepSlack = 1.25;

    /// <summary>A device that needs for the smallest unit alone more than so many times what a hop needs on average would slow everybody down.</summary>
    private const double TooSlow = 4;

    /// <summary>Plans <paramref name="model"/>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="devices">The devices, each once.</param>
    /// <param name="previous">The model's plan so far, or null.</param>
    /// <returns><paramref name="previous"/> itself when nobody's range changes; else a plan with the next version.</returns>
    public static PlacementPlan Plan(ServedModel model, IReadOnlyCollection<PlacementDevice> devices, PlacementPlan? previous)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(devices);
        var costs = new UnitCosts(model);
        var before = (previous?.Assignments ?? []).ToDictionary(assignment => assignment.Device, assignment => assignment.Range);
        var able = WithKnownSpeed([.. devices
            .Where(device => device is { HasFiles: true, Leaving: false, WeightBytes: > 0 })
            .OrderBy(device => device.Device.Value, StringComparer.Ordinal)]);
        var quick = Quick(able, costs);
        var ranges = Cover(model, costs, quick, able, before, previous) ?? (quick.Count < able.Count ? Cover(model, costs, able, able, before, previous) : null);
        var words = new PlacementWords(model, costs);
        ImmutableArray<Assignment> assignments;
        string? problem = null;
        if (ranges is not null)
        {
            assignments = words.Explain(able, ranges, before);
        }
        else
        {
            assignments = words.Explain(able, Part(costs, able, before), before);
            problem = words.Lacking(devices, able, assignments);
        }

        return previous is not null && previous.Problem == problem && SameRanges(previous.Assignments, assignments)
            ? previous
            : new PlacementPlan(model.Model, (previous?.Version ?? 0) + 1, assignments, problem);
    }

    private static List<PlacementDevice> WithKnownSpeed(List<PlacementDevice> devices)
    {
        var slowest = devices.Where(HasSpeed).Select(device => device.BytesPerSecond).DefaultIfEmpty(1).Min();
        return devices.ConvertAll(device => HasSpeed(device) ? device : device with { BytesPerSecond = slowest });

        static bool HasSpeed(PlacementDevice device) => double.IsFinite(device.BytesPerSecond) && device.BytesPerSecond > 0;
    }

    private static List<PlacementDevice> Quick(List<PlacementDevice> devices, UnitCosts costs)
    {
        if (devices.Count == 0)
        {
            return devices;
        }

        // Looking up a row of the embedding costs nothing, so it is no measure. A hop is never quicker than the largest unit on the quickest device.
        var units = Enumerable.Range(1, costs.Count - 1).Select(unit => costs.Reads(unit, unit + 1)).ToArray();
        var hop = Math.Max(costs.Reads(0, costs.Count) / devices.Sum(device => device.BytesPerSecond), units.Max() / devices.Max(device => device.BytesPerSecond));
        return devices.FindAll(device => units.Min() / device.BytesPerSecond <= hop * TooSlow);
    }

    /// <summary>The range of each of <paramref name="devices"/> that gets one, or null when they cannot cover the model; of all that are able, when the plan so far stays.</summary>
    private static Dictionary<DeviceId, LayerRange>? Cover(
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

        var held = hops.Select(device => Held(model, device, before)).ToArray();
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

    /// <summary>What the device holds or was told to load; what cannot be a part of the model is a false claim and counts as nothing.</summary>
    private static LayerRange? Held(ServedModel model, PlacementDevice device, Dictionary<DeviceId, LayerRange> before)
        => (before.TryGetValue(device.Device, out var range) ? range : device.Loaded) is { } held && held.IsValid(model.Layers) ? held : null;

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
                    ? Held(model, device, before)!.Value
                    : fitting.OrderByDescending(range => costs.Reads(range) / speeds[range]).ThenBy(range => range.First).First();
                ranges.Add(device.Device, range);
                speeds[range] += device.BytesPerSecond;
            }
        }

        bool Stays(PlacementDevice device)
            => Held(model, device, before) is { } held && speeds.ContainsKey(held) && costs.Bytes(held) <= device.WeightBytes;
    }

    /// <summary>What is held of a model that cannot be covered: what the devices were told before, so that nothing is loaded twice when one comes back.</summary>
    private static Dictionary<DeviceId, LayerRange> Part(UnitCosts costs, List<PlacementDevice> able, Dictionary<DeviceId, LayerRange> before)
    {
        var kept = able
            .Where(device => before.TryGetValue(device.Device, out var range) && range.End <= costs.Count && costs.Bytes(range) <= device.WeightBytes)
            .ToDictionary(device => device.Device, device => before[device.Device]);
        if (kept.Count > 0 || able.Count == 0)
        {
            return kept;
        }

        var (order, _) = new DeviceOrders(costs, able).Furthest();
        var first = 0;
        foreach (var device in order)
        {
            var end = first;
            while (end < costs.Count && costs.Bytes(first, end + 1) <= able[device].WeightBytes)
            {
                end++;
            }

            if (end > first)
            {
                kept.Add(able[device].Device, new LayerRange(first, end));
            }

            first = end;
        }

        return kept;
    }

    private static bool SameRanges(ImmutableArray<Assignment> before, ImmutableArray<Assignment> after)
        => before.Length == after.Length
            && before.Select(assignment => (assignment.Device, assignment.Range)).ToHashSet().SetEquals(after.Select(assignment => (assignment.Device, assignment.Range)));
}
