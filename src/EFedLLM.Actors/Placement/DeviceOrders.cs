using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// In which order devices could follow one another through a model. Ranges are contiguous, so with memories of different sizes some orders
/// cover the model and others do not.
/// </summary>
internal sealed class DeviceOrders
{
    // Kinds of devices multiply: 16 different ones make this many combinations, three kinds of 39 each as well.
    private const int MostCombinations = 1 << 16;

    // Steps of dynamic programming that trying orders out may cost: about a tenth of a second.
    private const long MostSteps = 50_000_000;

    private readonly UnitCosts _costs;
    private readonly IReadOnlyList<PlacementDevice> _devices;
    private readonly int[][] _kinds;
    private readonly int[][] _reach;

    /// <summary>Of <paramref name="devices"/> for a model.</summary>
    public DeviceOrders(UnitCosts costs, IReadOnlyList<PlacementDevice> devices)
    {
        (_costs, _devices) = (costs, devices);

        // Devices that get equally far from every unit are of one kind.
        var kinds = Enumerable.Range(0, devices.Count)
            .Select(device => (Device: device, Reach: Reach(devices[device].WeightBytes)))
            .GroupBy(device => string.Join(',', device.Reach))
            .ToArray();
        _kinds = [.. kinds.Select(kind => kind.Select(device => device.Device).OrderByDescending(device => devices[device].BytesPerSecond).ToArray())];
        _reach = [.. kinds.Select(kind => kind.First().Reach)];
    }

    /// <summary>
    /// Devices that get furthest from the first unit when each takes as much as it can hold, in that order; and how far they get. When that is
    /// the end, they are few. Exact (no order gets further) for up to 65,536 combinations of kinds of devices: any 16 devices, or many more
    /// where memories repeat. Beyond that the larger go first, but for the second largest, which is kept for the head.
    /// </summary>
    public (int[] Order, int Units) Furthest()
    {
        // More of a kind than there are units are never needed.
        var most = _kinds.Select(kind => Math.Min(kind.Length, _costs.Count)).ToArray();
        var combinations = most.Aggregate(1L, (product, count) => Math.Min(product * (count + 1), long.MaxValue >> 13));
        return combinations <= MostCombinations ? Exact(most, (int)combinations) : LargestFirst();
    }

    /// <summary>An order without regard to what is held: from <see cref="Furthest"/>, the others put in where they help most, improved by exchanging pairs; the best there is for up to five devices.</summary>
    public int[]? Fresh(RangeSplitter splitter)
    {
        var (cover, reached) = Furthest();
        if (reached < _costs.Count)
        {
            return null;
        }

        var steps = (long)_costs.Count * _costs.Count * _devices.Count;
        if (_devices.Count <= 5 && 120 * steps <= MostSteps)
        {
            return Permutations([.. Enumerable.Range(0, _devices.Count)], 0).Select(splitter.Of).OfType<Split>().MinBy(split => (split.Unused, split.BestSeconds))!.Order;
        }

        var order = Insert(splitter, cover);
        for (var passes = 0; passes < 4 && steps * order.Length * order.Length <= MostSteps; passes++)
        {
            if (!Improve(splitter, order))
            {
                break;
            }
        }

        return order;
    }

    /// <summary>The order of what is held now, with the others put in where they help most.</summary>
    public int[] Kept(RangeSplitter splitter, LayerRange?[] held)
        => Insert(splitter, [.. Enumerable.Range(0, _devices.Count).Where(device => held[device] is not null).OrderBy(device => held[device]!.Value.First).ThenBy(device => held[device]!.Value.End)]);

    private int[] Insert(RangeSplitter splitter, int[] start)
    {
        var order = start.ToList();
        var rest = Enumerable.Range(0, _devices.Count).Except(start).OrderByDescending(device => _devices[device].BytesPerSecond).ToArray();
        var steps = (long)_costs.Count * _costs.Count * _devices.Count;
        if (steps * _devices.Count * rest.Length > MostSteps)
        {
            return [.. order, .. rest];
        }

        foreach (var device in rest)
        {
            var best = Split.Choose(Enumerable.Range(0, order.Count + 1).Reverse().Select(at => splitter.Of([.. order[..at], device, .. order[at..]])));
            order.Insert(best is null ? order.Count : Array.IndexOf(best.Order, device), device);
        }

        return [.. order];
    }

    private static IEnumerable<int[]> Permutations(int[] order, int settled)
    {
        if (settled == order.Length)
        {
            yield return [.. order];
        }

        for (var next = settled; next < order.Length; next++)
        {
            (order[settled], order[next]) = (order[next], order[settled]);
            foreach (var permutation in Permutations(order, settled + 1))
            {
                yield return permutation;
            }

            (order[settled], order[next]) = (order[next], order[settled]);
        }
    }

    private static bool Improve(RangeSplitter splitter, int[] order)
    {
        var improved = false;
        var best = splitter.Of(order);
        for (var i = 0; i < order.Length; i++)
        {
            for (var j = i + 1; j < order.Length; j++)
            {
                (order[i], order[j]) = (order[j], order[i]);
                if (splitter.Of(order) is { } other && (best is null || (other.Unused, other.BestSeconds).CompareTo((best.Unused, best.BestSeconds)) < 0))
                {
                    (best, improved) = (other, true);
                }
                else
                {
                    (order[i], order[j]) = (order[j], order[i]);
                }
            }
        }

        return improved;
    }

    private (int[] Order, int Units) Exact(int[] most, int combinations)
    {
        // Place k of a combination, written as a number whose digits count the devices of each kind.
        var places = new int[most.Length];
        for (var (kind, place) = (0, 1); kind < most.Length; kind++)
        {
            places[kind] = place;
            place *= most[kind] + 1;
        }

        var furthest = new int[combinations];
        var last = new int[combinations];
        var count = new int[combinations];
        var best = 0;
        for (var combination = 1; combination < combinations; combination++)
        {
            for (var kind = 0; kind < most.Length; kind++)
            {
                if (combination / places[kind] % (most[kind] + 1) > 0)
                {
                    var before = combination - places[kind];
                    var reached = _reach[kind][furthest[before]];
                    if (reached > furthest[combination] || count[combination] == 0)
                    {
                        (furthest[combination], last[combination], count[combination]) = (reached, kind, count[before] + 1);
                    }
                }
            }

            if (furthest[combination] > furthest[best] || (furthest[combination] == furthest[best] && count[combination] < count[best]))
            {
                best = combination;
            }
        }

        var order = new int[count[best]];
        var taken = new int[most.Length];
        for (var (combination, k) = (best, order.Length - 1); k >= 0; k--)
        {
            var kind = last[combination];
            order[k] = _kinds[kind][taken[kind]++];
            combination -= places[kind];
        }

        return (order, furthest[best]);
    }

    private (int[] Order, int Units) LargestFirst()
    {
        var sizes = Enumerable.Range(0, _devices.Count).OrderByDescending(device => _devices[device].WeightBytes).ToArray();
        (int[] Order, int Units) best = ([], 0);
        foreach (var order in new[] { sizes, [sizes[0], .. sizes[2..], sizes[1]], [.. sizes.Reverse()] })
        {
            var (used, unit) = (new List<int>(), 0);
            foreach (var device in order)
            {
                var reached = Reach(_devices[device].WeightBytes)[unit];
                if (reached > unit)
                {
                    used.Add(device);
                    unit = reached;
                }
            }

            if (unit > best.Units)
            {
                best = ([.. used], unit);
            }
        }

        return best;
    }

    /// <summary>For each unit, one past the last of those that fit from there.</summary>
    private int[] Reach(long bytes)
    {
        var reach = new int[_costs.Count + 1];
        var end = 0;
        for (var first = 0; first <= _costs.Count; first++)
        {
            end = Math.Max(end, first);
            while (end < _costs.Count && _costs.Bytes(first, end + 1) <= bytes)
            {
                end++;
            }

            reach[first] = end;
        }

        return reach;
    }
}
