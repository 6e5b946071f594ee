using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// A model's units halved by bytes again and again, down to single units: the ranges that devices are given where they are many. Any two of
/// them nest or have nothing in common, so whatever devices fail, those that are left have a route exactly when each unit is held by one of
/// them. Ranges that are in use already are nodes of the tree, and the halving goes around them.
/// </summary>
internal sealed class RangeTree
{
    private readonly List<Node> _nodes = [];

    /// <summary>Of a model.</summary>
    /// <param name="costs">The model.</param>
    /// <param name="used">Ranges in use; those that cross one before them are left out.</param>
    public RangeTree(UnitCosts costs, IEnumerable<LayerRange> used)
    {
        // crossings[s]: ranges in use that a cut at s would cut. At some cut of each node there are none but those that contain the node.
        var crossings = new int[costs.Count + 1];
        foreach (var range in Nested(used))
        {
            for (var cut = range.First + 1; cut < range.End; cut++)
            {
                crossings[cut]++;
            }
        }

        _nodes.Add(new Node(new LayerRange(0, costs.Count)));
        for (var i = 0; i < _nodes.Count; i++)
        {
            var range = _nodes[i].Range;
            if (range.Count > 1)
            {
                var cut = Cut(costs, crossings, range);
                _nodes[i] = new Node(range) { Left = _nodes.Count };
                _nodes.Add(new Node(new LayerRange(range.First, cut)));
                _nodes.Add(new Node(new LayerRange(cut, range.End)));
            }
        }
    }

    /// <summary>Whether two ranges have units in common and neither contains the other.</summary>
    public static bool Cross(LayerRange one, LayerRange other)
        => one.First < other.First ? other.First < one.End && one.End < other.End : other.First < one.First && one.First < other.End && other.End < one.End;

    /// <summary>Whether <paramref name="outer"/> has all units of <paramref name="inner"/>.</summary>
    public static bool Contains(LayerRange outer, LayerRange inner) => outer.First <= inner.First && inner.End <= outer.End;

    /// <summary>Of <paramref name="ranges"/> those that do not cross an earlier one, each once.</summary>
    public static List<LayerRange> Nested(IEnumerable<LayerRange> ranges)
    {
        var nested = new List<LayerRange>();
        foreach (var range in ranges.Distinct())
        {
            if (!nested.Exists(other => Cross(range, other)))
            {
                nested.Add(range);
            }
        }

        return nested;
    }

    /// <summary>The largest ranges for which <paramref name="fits"/> holds, from the first unit to the last; units of which not even one alone fits are left out.</summary>
    public void Cells(Func<LayerRange, bool> fits, List<LayerRange> cells)
    {
        cells.Clear();
        var open = new Stack<int>();
        open.Push(0);
        while (open.TryPop(out var at))
        {
            if (fits(_nodes[at].Range))
            {
                cells.Add(_nodes[at].Range);
            }
            else if (_nodes[at].Left is var left and > 0)
            {
                open.Push(left + 1);
                open.Push(left);
            }
        }
    }

    /// <summary>The largest range with <paramref name="unit"/> for which <paramref name="fits"/> holds, or null when not even the unit alone fits.</summary>
    public LayerRange? Cell(int unit, Func<LayerRange, bool> fits)
    {
        var at = 0;
        while (!fits(_nodes[at].Range))
        {
            if (_nodes[at].Left is not (var left and > 0))
            {
                return null;
            }

            at = unit < _nodes[left].Range.End ? left : left + 1;
        }

        return _nodes[at].Range;
    }

    /// <summary>The smallest range with <paramref name="unit"/> and all of <paramref name="range"/>.</summary>
    public LayerRange Around(LayerRange range, int unit)
    {
        var whole = new LayerRange(Math.Min(range.First, unit), Math.Max(range.End, unit + 1));
        var at = 0;
        while (_nodes[at].Left is var left and > 0)
        {
            if (Contains(_nodes[left].Range, whole))
            {
                at = left;
            }
            else if (Contains(_nodes[left + 1].Range, whole))
            {
                at = left + 1;
            }
            else
            {
                break;
            }
        }

        return _nodes[at].Range;
    }

    private static int Cut(UnitCosts costs, int[] crossings, LayerRange range)
    {
        var best = (Crossings: int.MaxValue, Uneven: long.MaxValue, Cut: 0);
        for (var cut = range.First + 1; cut < range.End; cut++)
        {
            var here = (crossings[cut], Math.Abs(costs.Bytes(range.First, cut) - costs.Bytes(cut, range.End)), cut);
            best = here.CompareTo(best) < 0 ? here : best;
        }

        return best.Cut;
    }

    private readonly record struct Node(LayerRange Range)
    {
        /// <summary>The first half; the second follows it. 0 is none.</summary>
        public int Left { get; init; }
    }
}
