using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>A model divided among devices in a given order.</summary>
/// <param name="Order">Indices of devices.</param>
/// <param name="Ranges">The range of each device of <paramref name="Order"/>, or null for one that is left without.</param>
/// <param name="Unused">How many are left without: as few as the order allows.</param>
/// <param name="BestSeconds">The least time per token of the slowest device that the order allows.</param>
/// <param name="MovedBytes">Bytes that have to be loaded.</param>
/// <param name="Unevenness">Sum over devices of time times bytes read: least when every device needs the same time.</param>
internal sealed record Split(int[] Order, LayerRange?[] Ranges, int Unused, double BestSeconds, long MovedBytes, double Unevenness)
{
    /// <summary>Two orders whose best times differ by no more than this are as good as each other; less loading decides.</summary>
    public const double OrderSlack = 1.15;

    /// <summary>The best of several: the fewest devices unused, a time near the least, the least to load, the evenest; the first of equals.</summary>
    public static Split? Choose(IEnumerable<Split?> splits)
    {
        var possible = splits.OfType<Split>().ToList();
        if (possible.Count == 0)
        {
            return null;
        }

        var unused = possible.Min(split => split.Unused);
        possible.RemoveAll(split => split.Unused > unused);
        var most = possible.Min(split => split.BestSeconds) * OrderSlack;
        return possible.Where(split => split.BestSeconds <= most).OrderBy(split => split.MovedBytes).ThenBy(split => split.Unevenness).First();
    }
}
