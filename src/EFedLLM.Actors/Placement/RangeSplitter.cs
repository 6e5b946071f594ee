using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Divides a model's units among devices whose order is given, by dynamic programming over (devices so far, units so far). Exact: it finds
/// a division whenever the order has one, uses as many of the devices as possible, and then the least time of the slowest. Among divisions
/// within <see cref="TimeSlack"/> of that time it takes the one that loads the least, then the evenest.
/// </summary>
/// <param name="costs">The model.</param>
/// <param name="devices">The devices.</param>
/// <param name="held">What each holds or is to hold already.</param>
internal sealed class RangeSplitter(UnitCosts costs, IReadOnlyList<PlacementDevice> devices, LayerRange?[] held)
{
    /// <summary>How much slower than possible the slowest device may be when that saves loading. A higher value moves less and balances worse.</summary>
    public const double TimeSlack = 1.05;

    private const int Skipped = -1;
    private const int Impossible = int.MaxValue;

    /// <summary>The best division in this order, or null when there is none. Time and memory: devices times units squared, and devices times units.</summary>
    public Split? Of(int[] order) => Best(order) is { } best ? Evenest(order, best.Unused, best.Seconds) : null;

    /// <summary>Time per token of a range on a device.</summary>
    public double Seconds(int device, int first, int end) => costs.Reads(first, end) / devices[device].BytesPerSecond;

    private (int Unused, double Seconds)? Best(int[] order)
    {
        var units = costs.Count;
        var unused = new int[units + 1];
        var seconds = new double[units + 1];
        Array.Fill(unused, Impossible);
        unused[0] = 0;
        foreach (var device in order)
        {
            // From the end, so that what stands to the left is still without this device.
            for (var end = units; end >= 0; end--)
            {
                var (fewest, least) = (unused[end] == Impossible ? Impossible : unused[end] + 1, seconds[end]);
                for (var first = end - 1; first >= 0 && costs.Bytes(first, end) <= devices[device].WeightBytes; first--)
                {
                    if (unused[first] == Impossible)
                    {
                        continue;
                    }

                    var slowest = Math.Max(seconds[first], Seconds(device, first, end));
                    if (unused[first] < fewest || (unused[first] == fewest && slowest < least))
                    {
                        (fewest, least) = (unused[first], slowest);
                    }
                }

                (unused[end], seconds[end]) = (fewest, least);
            }
        }

        return unused[units] == Impossible ? null : (unused[units], seconds[units]);
    }

    private Split Evenest(int[] order, int fewestUnused, double bestSeconds)
    {
        var units = costs.Count;
        var most = bestSeconds * TimeSlack;
        var unused = new int[units + 1];
        var moved = new long[units + 1];
        var unevenness = new double[units + 1];
        var firsts = new int[order.Length][];
        Array.Fill(unused, Impossible);
        unused[0] = 0;
        for (var k = 0; k < order.Length; k++)
        {
            var device = order[k];
            firsts[k] = new int[units + 1];
            for (var end = units; end >= 0; end--)
            {
                var best = (Unused: unused[end] == Impossible ? Impossible : unused[end] + 1, Moved: moved[end], Unevenness: unevenness[end]);
                firsts[k][end] = Skipped;
                for (var first = end - 1; first >= 0 && costs.Bytes(first, end) <= devices[device].WeightBytes; first--)
                {
                    var seconds = Seconds(device, first, end);
                    if (seconds > most)
                    {
                        break;
                    }

                    if (unused[first] == Impossible)
                    {
                        continue;
                    }

                    var here = (Unused: unused[first], Moved: moved[first] + costs.ToLoad(devices[device], held[device], first, end), Unevenness: unevenness[first] + (seconds * costs.Reads(first, end)));
                    if (here.CompareTo(best) < 0)
                    {
                        best = here;
                        firsts[k][end] = first;
                    }
                }

                (unused[end], moved[end], unevenness[end]) = best;
            }
        }

        var ranges = new LayerRange?[order.Length];
        for (var (k, end) = (order.Length - 1, units); k >= 0; k--)
        {
            if (firsts[k][end] is var first and not Skipped)
            {
                ranges[k] = new LayerRange(first, end);
                end = first;
            }
        }

        return new Split(order, ranges, fewestUnused, bestSeconds, moved[units], unevenness[units]);
    }
}
