using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// How well each unit of a model is served: how many devices hold it, and how many tokens a second they could compute together, each sharing
/// its speed among its units. Whole numbers, so that adding and taking away in any order gives the same.
/// </summary>
internal sealed class Coverage(UnitCosts costs)
{
    // A device that claims more counts as this fast, so that sums over all devices there may be do not overflow.
    private const double MostRate = 1e12;

    private readonly int[] _holders = new int[costs.Count];
    private readonly long[] _rates = new long[costs.Count];

    /// <summary>Tokens a second, in millionths, that <paramref name="range"/> gets from a device with <paramref name="bytesPerSecond"/>.</summary>
    public long Rate(LayerRange range, double bytesPerSecond) => (long)Math.Min(bytesPerSecond / Math.Max(costs.Reads(range), 1) * 1e6, MostRate);

    /// <summary>A device holds <paramref name="range"/>.</summary>
    public void Add(LayerRange range, double bytesPerSecond) => Change(range, 1, Rate(range, bytesPerSecond));

    /// <summary>A device holds <paramref name="range"/> no more.</summary>
    public void Remove(LayerRange range, double bytesPerSecond) => Change(range, -1, -Rate(range, bytesPerSecond));

    /// <summary>Devices that hold <paramref name="unit"/>.</summary>
    public int Holders(int unit) => _holders[unit];

    /// <summary>Tokens a second, in millionths, at <paramref name="unit"/>.</summary>
    public long Rate(int unit) => _rates[unit];

    /// <summary>Devices that hold the unit of <paramref name="range"/> with the fewest.</summary>
    public int Fewest(LayerRange range)
    {
        var fewest = int.MaxValue;
        for (var unit = range.First; unit < range.End; unit++)
        {
            fewest = Math.Min(fewest, _holders[unit]);
        }

        return fewest;
    }

    /// <summary>Devices that hold the unit of the model with the fewest.</summary>
    public int Fewest() => Fewest(new LayerRange(0, costs.Count));

    /// <summary>Tokens a second, in millionths, at the slowest unit of <paramref name="range"/>.</summary>
    public long Least(LayerRange range)
    {
        var least = long.MaxValue;
        for (var unit = range.First; unit < range.End; unit++)
        {
            least = Math.Min(least, _rates[unit]);
        }

        return least;
    }

    /// <summary>Tokens a second, in millionths, that the model gets: those of its slowest unit.</summary>
    public long Least() => Least(new LayerRange(0, costs.Count));

    private void Change(LayerRange range, int holders, long rate)
    {
        for (var unit = range.First; unit < range.End; unit++)
        {
            _holders[unit] += holders;
            _rates[unit] += rate;
        }
    }
}
