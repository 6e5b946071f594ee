using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Gives each of many devices a range of a <see cref="RangeTree"/>. Those that have one keep it; one that arrives gets the range that is served
/// worst; then devices move, one at a time and the cheapest first, for three reasons alone: a unit that nobody holds, a unit that fewer
/// devices hold than should, and a unit that gets less than half of its share of the speed. A move never makes another unit as bad.
/// </summary>
internal sealed class NestedPlacement
{
    // A round moves no more than this for redundancy and for speed; the next goes on from there.
    private const int MostMoves = 1024;

    // Units that could not be helped are tried no more; so many of them end the search.
    private const int MostHopeless = 64;

    private readonly UnitCosts _costs;
    private readonly IReadOnlyList<PlacementDevice> _devices;
    private readonly LayerRange?[] _held;
    private readonly NestedGoal _goal;
    private readonly RangeTree _tree;
    private readonly int[] _sites;
    private readonly Coverage[] _siteCoverage;
    private readonly Coverage _coverage;
    private readonly Dictionary<LayerRange, int> _users = [];
    private readonly double _stageBytes;

    /// <summary>Places the devices.</summary>
    /// <param name="costs">The model.</param>
    /// <param name="devices">The devices.</param>
    /// <param name="start">What each has, so far: a possible range within its memory, or null.</param>
    /// <param name="held">What each holds in memory, which need not be what it is to have.</param>
    /// <param name="known">Other ranges that were in use: somebody who comes back may hold one.</param>
    /// <param name="sites">The site of each.</param>
    /// <param name="goal">What to reach.</param>
    public NestedPlacement(
        UnitCosts costs, IReadOnlyList<PlacementDevice> devices, LayerRange?[] start, LayerRange?[] held, IEnumerable<LayerRange> known, int[] sites, NestedGoal goal)
    {
        (_costs, _devices, _held, _sites, _goal) = (costs, devices, held, sites, goal);
        _stageBytes = goal.StageBytes(costs);
        var used = start.OfType<LayerRange>()
            .GroupBy(range => range)
            .OrderByDescending(same => same.Count())
            .ThenBy(same => same.Key.First)
            .ThenByDescending(same => same.Key.End)
            .Select(same => same.Key);
        var nested = RangeTree.Nested(used.Concat(known));
        _tree = new RangeTree(costs, nested);
        _coverage = new Coverage(costs);
        _siteCoverage = [.. Enumerable.Range(0, sites.Append(Placement.Sites.None).Max() + 1).Select(_ => new Coverage(costs))];
        Ranges = new LayerRange?[devices.Count];
        Reasons = new string?[devices.Count];
        var kept = nested.ToHashSet();
        for (var device = 0; device < devices.Count; device++)
        {
            if (start[device] is { } range && kept.Contains(range))
            {
                Give(device, range);
            }
        }

        Arrive();
        Repeat(() => Fill(1));
        if (goal.Holders > 1)
        {
            Repeat(() => Fill(goal.Holders));
        }

        Repeat(Relieve);
    }

    /// <summary>The range of each device, or null.</summary>
    public LayerRange?[] Ranges { get; }

    /// <summary>Why a device got another range than it started with; null for the others.</summary>
    public string?[] Reasons { get; }

    /// <summary>Devices that hold the unit with the fewest.</summary>
    public int Fewest => _coverage.Fewest();

    /// <summary>Tokens a second, in millionths, of the slowest unit.</summary>
    public long Least => _coverage.Least();

    /// <summary>Tokens a second, in millionths, that each unit would get if all were served alike.</summary>
    public long Share => _coverage.Rate(new LayerRange(0, _costs.Count), Enumerable.Range(0, _devices.Count).Where(device => Ranges[device] is not null).Sum(device => _devices[device].BytesPerSecond));

    /// <summary>Hops of the shortest route, or null when there is none.</summary>
    public int? Hops()
    {
        // Of ranges that nest, the longest from a unit on is never a wrong choice.
        var ends = new int[_costs.Count];
        foreach (var range in _users.Keys)
        {
            ends[range.First] = Math.Max(ends[range.First], range.End);
        }

        var hops = 0;
        for (var unit = 0; unit < _costs.Count; hops++)
        {
            if (ends[unit] == 0)
            {
                return null;
            }

            unit = ends[unit];
        }

        return hops;
    }

    /// <summary>Goes on from <paramref name="first"/>: what that gave and this kept has its reason there.</summary>
    public void Explain(NestedPlacement first)
    {
        for (var device = 0; device < Reasons.Length; device++)
        {
            Reasons[device] ??= first.Reasons[device];
        }
    }

    private static void Repeat(Func<bool> move)
    {
        for (var moves = 0; moves < MostMoves && move(); moves++)
        {
        }
    }

    private bool Fits(int device, LayerRange range)
    {
        var bytes = _costs.Bytes(range);
        return bytes <= _devices[device].WeightBytes
            && (range.Count == 1 || (bytes <= _stageBytes && _costs.Reads(range) / _devices[device].BytesPerSecond <= _goal.MostSeconds));
    }

    private long ToLoad(int device, LayerRange range) => _costs.ToLoad(_devices[device], _held[device], range.First, range.End);

    private void Give(int device, LayerRange range)
    {
        var speed = _devices[device].BytesPerSecond;
        if (Ranges[device] is { } before)
        {
            _coverage.Remove(before, speed);
            Site(device)?.Remove(before, speed);
            if (--_users[before] == 0)
            {
                _users.Remove(before);
            }
        }

        Ranges[device] = range;
        _coverage.Add(range, speed);
        Site(device)?.Add(range, speed);
        _users[range] = _users.GetValueOrDefault(range) + 1;
    }

    private Coverage? Site(int device) => _sites[device] is var site and >= 0 ? _siteCoverage[site] : null;

    /// <summary>Large devices first: they take large ranges, and the small ones fill what is left uneven.</summary>
    private void Arrive()
    {
        var arriving = Enumerable.Range(0, _devices.Count)
            .Where(device => Ranges[device] is null)
            .OrderByDescending(device => _devices[device].WeightBytes)
            .ThenByDescending(device => _devices[device].BytesPerSecond)
            .ThenBy(device => device);
        var cells = new List<LayerRange>();
        foreach (var device in arriving)
        {
            _tree.Cells(range => Fits(device, range), cells);
            if (cells.Count > 0)
            {
                var range = cells.MinBy(cell => Urgency(device, cell));
                Reasons[device] = _coverage.Fewest(range) switch
                {
                    0 => "nobody else holds all of it",
                    1 => "only one other device holds all of it",
                    _ => "served least for its share",
                };
                Give(device, range);
            }
        }
    }

    /// <summary>How much a range needs a device: the lower the more.</summary>
    private (int Holders, int AtSite, double SiteRate, double Rate, int First) Urgency(int device, LayerRange range)
    {
        // What must be loaded counts like being served twice as well.
        var load = 1 + (ToLoad(device, range) / (double)Math.Max(_costs.Bytes(range), 1));
        var holders = Math.Min(_coverage.Fewest(range), _goal.Holders);
        var rate = (_coverage.Least(range) + 1) * load;
        return Site(device) is { } site
            ? (holders, Math.Min(site.Fewest(range), 1), (site.Least(range) + 1) * load, rate, range.First)
            : (holders, 0, 0, rate, range.First);
    }

    /// <summary>Moves one device to a unit with fewer than <paramref name="needed"/> holders.</summary>
    private bool Fill(int needed)
    {
        var hopeless = 0;
        foreach (var unit in Enumerable.Range(0, _costs.Count).Where(unit => _coverage.Holders(unit) < needed).OrderBy(_coverage.Holders).ThenBy(unit => unit))
        {
            if (Cheapest(unit, needed) is { } move)
            {
                Reasons[move.Device] = _coverage.Holders(unit) == 0 ? $"nobody else holds {Name(unit)}" : $"only one other device holds {Name(unit)}";
                Give(move.Device, move.Range);
                return true;
            }

            if (++hopeless == MostHopeless)
            {
                break;
            }
        }

        return false;
    }

    private (int Device, LayerRange Range)? Cheapest(int unit, int needed)
    {
        var spare = _users.Keys.ToDictionary(range => range, range => _coverage.Fewest(range) > needed);
        (double Cost, int Device, LayerRange Range)? best = null;
        for (var device = 0; device < _devices.Count; device++)
        {
            if (Ranges[device] is not { } range || Has(range, unit))
            {
                continue;
            }

            // Growing takes a holder from nobody. It may go beyond a stage.
            var around = _tree.Around(range, unit);
            if (RangeTree.Contains(around, range) && _costs.Bytes(around) <= _devices[device].WeightBytes && _costs.Reads(around) / _devices[device].BytesPerSecond <= _goal.MostSeconds)
            {
                Consider(device, around);
            }

            if (spare[range] && _tree.Cell(unit, cell => Fits(device, cell)) is { } other)
            {
                Consider(device, other);
            }
        }

        return best is { } found ? (found.Device, found.Range) : null;

        void Consider(int device, LayerRange range)
        {
            var cost = ToLoad(device, range) / (double)Math.Max(Gained(range, needed), 1);
            if (best is not { } other || cost < other.Cost)
            {
                best = (cost, device, range);
            }
        }
    }

    private long Gained(LayerRange range, int needed)
    {
        var bytes = 0L;
        for (var unit = range.First; unit < range.End; unit++)
        {
            bytes += _coverage.Holders(unit) < needed ? _costs.Bytes(unit, unit + 1) : 0;
        }

        return bytes;
    }

    /// <summary>Moves one device to the slowest unit, if that gets less than half of its share and nobody else does after it.</summary>
    private bool Relieve()
    {
        var least = Share / 2;
        var slowest = Enumerable.Range(0, _costs.Count).MinBy(_coverage.Rate);
        if (_coverage.Rate(slowest) >= least)
        {
            return false;
        }

        var spare = _users.Keys.ToDictionary(range => range, range => _coverage.Fewest(range) > _goal.Holders ? _coverage.Least(range) - least : -1);
        (long Cost, int Device, LayerRange Range)? best = null;
        for (var device = 0; device < _devices.Count; device++)
        {
            var speed = _devices[device].BytesPerSecond;
            if (Ranges[device] is { } range && !Has(range, slowest) && spare[range] >= _coverage.Rate(range, speed)
                && _tree.Cell(slowest, cell => Fits(device, cell)) is { } cell && _coverage.Rate(cell, speed) > 0
                && ToLoad(device, cell) is var cost && (best is not { } other || cost < other.Cost))
            {
                best = (cost, device, cell);
            }
        }

        if (best is { } move)
        {
            Reasons[move.Device] = $"{Name(slowest)} had less than half of its share of speed";
            Give(move.Device, move.Range);
        }

        return best is not null;
    }

    private static bool Has(LayerRange range, int unit) => range.First <= unit && unit < range.End;

    private string Name(int unit) => new LayerRange(unit, unit + 1).Describe(_costs.Count - 2);
}
