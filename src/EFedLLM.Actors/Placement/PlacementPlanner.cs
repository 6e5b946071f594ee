using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Decides which device holds which units of a model: at most one contiguous range each, within its memory. Pure: the same arguments give the
/// same plan, in whatever order the devices stand.
/// <para>What counts, the first the most: (1) each unit is held, whenever that is possible at all; (2) from <see cref="Few"/> devices on, by two,
/// as memory allows; (3) the slowest unit gets at least half of its fair share of the devices' speed; (4) little is loaded: who has a
/// range keeps it, an arriving device gets the range that is served worst, and devices move for (1), (2) or (3) alone, the cheapest move first;
/// (5) devices near one another hold a whole model together; (6) a route has about <see cref="MostStages"/> hops at most: a hop costs time each
/// token, and a device that holds less has more memory for caches and less to download.</para>
/// <para>Fewer than <see cref="Few"/> devices share the model (<see cref="SpreadPlacement"/>), so that each carries its part and any of them may be too small for
/// the whole; so do more whose memory is too tight for anything else. Many devices hold ranges that nest (<see cref="NestedPlacement"/>), so that
/// whoever of them fails, there is a route as long as each unit is held.</para>
/// <para>Where all of them together have too little memory, and only there, devices read a part of what they are given from disk for every token
/// (<see cref="StreamedPlacement"/>), if the model allows that.</para>
/// </summary>
public static class PlacementPlanner
{
    /// <summary>From so many devices on each unit is held twice where memory allows; fewer share the model.</summary>
    public const int Few = 4;

    /// <summary>A device gets no less than about this part of a model while its memory allows, however many devices there are.</summary>
    public const int MostStages = 8;

    /// <summary>A device that needs for the smallest unit alone more than so many times what a hop needs on average would slow everybody down.</summary>
    private const double TooSlow = 4;

    // Each pass goes on from the one before it; one that changes nothing is the last.
    private const int MostPasses = 8;

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
            .Where(device => device.IsAble)
            .OrderBy(device => device.Device.Value, StringComparer.Ordinal)
            .Select(device => device with { HeldUnits = Merge(model, device.HeldUnits) })]);
        var quick = Quick(able, costs);
        var reasons = new Dictionary<DeviceId, string>();
        var ranges = Cover(quick) ?? (quick.Count < able.Count ? Cover(able) : null);
        if (ranges is null && model.CanStream)
        {
            reasons.Clear();
            ranges = StreamedPlacement.Cover(costs, able, before);
        }

        string? problem = null;
        var words = new PlacementWords(model, costs);
        ImmutableArray<Assignment> assignments;
        if (ranges is not null)
        {
            assignments = words.Explain(able, ranges, before, reasons);
        }
        else
        {
            assignments = words.Explain(able, Part(costs, able, before), before, ImmutableDictionary<DeviceId, string>.Empty);
            problem = words.Lacking(devices, able, assignments);
        }

        return previous is not null && previous.Problem == problem && SameRanges(previous.Assignments, assignments)
            ? previous
            : new PlacementPlan(model.Model, (previous?.Version ?? 0) + 1, assignments, problem);

        Dictionary<DeviceId, LayerRange>? Cover(List<PlacementDevice> some)
        {
            if (some.Count < Few && !HasReplicas(costs, some, before, previous))
            {
                return SpreadPlacement.Cover(model, costs, some, able, before, previous);
            }

            // Where the quick ones are not enough, nobody is too slow.
            var rule = some.Count == able.Count && quick.Count < able.Count ? double.PositiveInfinity : TooSlow;
            return Nest(model, costs, some, able, before, previous, rule, reasons);
        }
    }

    /// <summary>What the device holds or was told to load; what cannot be a part of the model is a false claim and counts as nothing.</summary>
    internal static LayerRange? Held(ServedModel model, PlacementDevice device, Dictionary<DeviceId, LayerRange> before)
        => (before.TryGetValue(device.Device, out var range) ? range : device.Loaded) is { } held && held.IsValid(model.Layers) ? held : null;

    /// <summary>Ranges for many devices, or null when they cannot cover the model; why they are so is added to <paramref name="reasons"/>.</summary>
    private static Dictionary<DeviceId, LayerRange>? Nest(
        ServedModel model,
        UnitCosts costs,
        List<PlacementDevice> devices,
        List<PlacementDevice> able,
        Dictionary<DeviceId, LayerRange> before,
        PlacementPlan? previous,
        double tooSlow,
        Dictionary<DeviceId, string> reasons)
    {
        if (devices.Count == 0)
        {
            return null;
        }

        var held = devices.Select(device => Held(model, device, before)).ToArray();
        var kept = devices.Select((device, i) => held[i] is { } range && costs.Bytes(range) <= device.WeightBytes ? range : (LayerRange?)null).ToArray();
        var sites = Sites.Of(devices);
        var holders = devices.Count < Few ? 1 : 2;
        var median = Median(devices);
        var most = devices.Count >= 2 * MostStages ? MostStages : devices.Count >= MostStages ? MostStages / 2 : devices.Count >= Few ? 2 : 1;
        reasons.Clear();

        // Whoever starts from nothing may choose how large the stages are; otherwise what there is goes on.
        var fresh = !kept.Any(range => range is not null);
        var best = Settle(devices, kept, held, before, most);
        for (var stages = most / 2; stages >= 1 && best.Fewest < holders && fresh; stages /= 2)
        {
            var larger = Settle(devices, kept, held, before, stages);
            best = larger.Fewest > best.Fewest ? larger : best;
        }

        // A division that is exact where memory is tight loads more than moves would.
        if (!IsRoute(best) || (fresh && best.Fewest < holders))
        {
            var spread = Spread(devices, before, previous, held);
            best = spread is not null && (!IsRoute(best) || spread.Fewest > best.Fewest) ? spread : best;
        }

        var settled = Settle(devices, best.Ranges, held, before, most);
        settled.Explain(best);
        best = settled;

        // What is held does not count here: what would be twice as quick must be the same when it is asked again.
        if (best.Least < best.Share / 4
            && Spread(devices.ConvertAll(device => device with { Loaded = null, HeldUnits = [] }), [], null, new LayerRange?[devices.Count]) is { } other
            && other.Fewest >= best.Fewest && other.Least >= 2 * best.Least)
        {
            best = other;
        }

        if (!IsRoute(best))
        {
            return null;
        }

        var ranges = new Dictionary<DeviceId, LayerRange>();
        for (var device = 0; device < devices.Count; device++)
        {
            if (best.Ranges[device] is { } range)
            {
                ranges.Add(devices[device].Device, range);
                if (best.Reasons[device] is { } why)
                {
                    reasons[devices[device].Device] = why;
                }
            }
        }

        return ranges;

        NestedPlacement Settle(List<PlacementDevice> some, LayerRange?[] start, LayerRange?[] holding, Dictionary<DeviceId, LayerRange> told, int stages)
        {
            var goal = new NestedGoal(holders, stages, tooSlow * costs.Reads(0, costs.Count) / (stages * median));
            var known = told.Values.Where(range => range.IsValid(model.Layers)).OrderBy(range => range.First).ThenByDescending(range => range.End).ToList();
            var last = new NestedPlacement(costs, some, start, holding, known, sites, goal);
            for (var pass = 1; pass < MostPasses; pass++)
            {
                var next = new NestedPlacement(costs, some, last.Ranges, holding, [], sites, goal);
                if (next.Ranges.AsSpan().SequenceEqual(last.Ranges))
                {
                    break;
                }

                next.Explain(last);
                last = next;
            }

            return last;
        }

        NestedPlacement? Spread(List<PlacementDevice> some, Dictionary<DeviceId, LayerRange> told, PlacementPlan? plan, LayerRange?[] holding)
            => SpreadPlacement.Cover(model, costs, some, able, told, plan) is { } ranges
                ? Settle(some, [.. some.Select(device => ranges.TryGetValue(device.Device, out var range) ? range : (LayerRange?)null)], holding, told, most)
                : null;

        static bool IsRoute(NestedPlacement placement) => placement.Hops() is <= ProtocolLimits.Hops;
    }

    /// <summary>Whether a few devices hold a model with replicas, as when one of four has gone: that stays, so that the next may go too.</summary>
    private static bool HasReplicas(UnitCosts costs, List<PlacementDevice> devices, Dictionary<DeviceId, LayerRange> before, PlacementPlan? previous)
    {
        var coverage = new Coverage(costs);
        var ranges = new HashSet<LayerRange>();
        foreach (var device in devices)
        {
            if (before.TryGetValue(device.Device, out var range) && range.IsValid(costs.Count - 2) && costs.Bytes(range) <= device.WeightBytes)
            {
                coverage.Add(range, device.BytesPerSecond);
                ranges.Add(range);
            }
        }

        // Those of a model that is shared are equal, and there are none while somebody could have a part of its own.
        var shared = ranges.Sum(range => range.Count) == costs.Count && ranges.Count == Math.Min(devices.Count, costs.Count);
        return previous is { Problem: null } && coverage.Fewest() > 0 && !shared && Enumerable.Range(0, costs.Count).Any(unit => coverage.Holders(unit) > 1);
    }

    private static List<PlacementDevice> WithKnownSpeed(List<PlacementDevice> devices)
    {
        var slowest = devices.Where(HasSpeed).Select(device => device.BytesPerSecond).DefaultIfEmpty(1).Min();
        return devices.ConvertAll(device => HasSpeed(device) ? device : device with { BytesPerSecond = slowest });

        static bool HasSpeed(PlacementDevice device) => double.IsFinite(device.BytesPerSecond) && device.BytesPerSecond > 0;
    }

    private static ImmutableArray<LayerRange> Merge(ServedModel model, ImmutableArray<LayerRange> ranges)
    {
        if (ranges.Length <= 1)
        {
            return ranges.All(range => range.IsValid(model.Layers)) ? ranges : [];
        }

        var merged = ImmutableArray.CreateBuilder<LayerRange>(ranges.Length);
        foreach (var range in ranges.Where(range => range.IsValid(model.Layers)).OrderBy(range => range.First))
        {
            if (merged.Count > 0 && range.First <= merged[^1].End)
            {
                merged[^1] = new LayerRange(merged[^1].First, Math.Max(merged[^1].End, range.End));
            }
            else
            {
                merged.Add(range);
            }
        }

        return merged.ToImmutable();
    }

    private static double Median(List<PlacementDevice> devices) => devices.Select(device => device.BytesPerSecond).Order().ElementAt(devices.Count / 2);

    private static List<PlacementDevice> Quick(List<PlacementDevice> devices, UnitCosts costs)
    {
        if (devices.Count == 0)
        {
            return devices;
        }

        // Looking up a row of the embedding costs nothing, so it is no measure.
        var units = Enumerable.Range(1, costs.Count - 1).Select(unit => costs.Reads(unit, unit + 1)).ToArray();
        var (smallest, largest, quickest) = (units.Min(), units.Max(), devices.Max(device => device.BytesPerSecond));

        // A hop is never quicker than the largest unit on the quickest device. Many devices are of many kinds: a quick one among them does not make the others slow.
        var hop = devices.Count < Few
            ? Math.Max(costs.Reads(0, costs.Count) / devices.Sum(device => device.BytesPerSecond), largest / quickest)
            : Math.Max(costs.Reads(0, costs.Count) / (MostStages * Median(devices)), smallest / quickest);
        return devices.FindAll(device => smallest / device.BytesPerSecond <= hop * TooSlow);
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
            && before.Select(assignment => (assignment.Device, assignment.Range, assignment.MemoryBytes)).ToHashSet()
                .SetEquals(after.Select(assignment => (assignment.Device, assignment.Range, assignment.MemoryBytes)));
}
