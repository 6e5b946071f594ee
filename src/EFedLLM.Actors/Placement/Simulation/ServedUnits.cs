using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement.Simulation;

/// <summary>The ranges that are served at the moment, and the time they were a whole model.</summary>
internal sealed class ServedUnits(int units)
{
    private readonly Dictionary<LayerRange, int> _ranges = [];
    private readonly int[] _holders = new int[units];
    private TimeSpan _now;
    private (int? Hops, bool IsTwice)? _state;

    /// <summary>Time in which there was a route.</summary>
    public TimeSpan WithRoute { get; private set; }

    /// <summary>Time in which each unit was served by two devices or more.</summary>
    public TimeSpan Twice { get; private set; }

    /// <summary>Sum over the time with a route of the hops of the shortest one, in hop seconds.</summary>
    public double HopSeconds { get; private set; }

    /// <summary>Nothing changed until <paramref name="now"/>.</summary>
    public void Until(TimeSpan now)
    {
        if (now > _now)
        {
            var (hops, twice) = _state ??= (Hops(), _holders.Min() > 1);
            var passed = now - _now;
            if (hops is { } count)
            {
                WithRoute += passed;
                HopSeconds += count * passed.TotalSeconds;
            }

            Twice += twice ? passed : TimeSpan.Zero;
            _now = now;
        }
    }

    /// <summary>One device serves another range than before.</summary>
    public void Change(LayerRange? before, LayerRange? after)
    {
        _state = null;
        Add(before, -1);
        Add(after, 1);
    }

    private void Add(LayerRange? served, int devices)
    {
        if (served is not { } range)
        {
            return;
        }

        for (var unit = range.First; unit < range.End; unit++)
        {
            _holders[unit] += devices;
        }

        _ranges[range] = _ranges.GetValueOrDefault(range) + devices;
        if (_ranges[range] == 0)
        {
            _ranges.Remove(range);
        }
    }

    private int? Hops()
    {
        // fewest[u]: hops from the first unit to u.
        var fewest = new int?[units + 1];
        fewest[0] = 0;
        foreach (var range in _ranges.Keys.OrderBy(range => range.First))
        {
            if (fewest[range.First] is { } before && !(fewest[range.End] <= before + 1))
            {
                fewest[range.End] = before + 1;
            }
        }

        return fewest[units];
    }
}
