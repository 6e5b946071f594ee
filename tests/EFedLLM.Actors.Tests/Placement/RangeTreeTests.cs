using CsCheck;
using EFedLLM.Actors.Placement;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class RangeTreeTests
{
    private static readonly UnitCosts Eight = new(PlacementPlannerTests.Sized(1, 1, 1, 1, 1, 1, 1, 1));

    [Theory]
    [InlineData(8, "[0, 8)")]
    [InlineData(4, "[0, 4) [4, 8)")]
    [InlineData(3, "[0, 2) [2, 4) [4, 6) [6, 8)")]
    public void A_model_is_halved_until_it_fits(int most, string expected) => Assert.Equal(expected, Cells(new RangeTree(Eight, []), most));

    [Fact]
    public void Halves_are_of_bytes_not_of_units()
        => Assert.Equal("[0, 1) [1, 4)", Cells(new RangeTree(new UnitCosts(PlacementPlannerTests.Sized(6, 2, 2, 2)), []), 3));

    [Fact]
    public void What_is_in_use_stays_a_part_and_what_crosses_it_is_left_out()
    {
        var tree = new RangeTree(Eight, [new(0, 3), new(2, 6), new(3, 8)]);
        Assert.Equal("[0, 3) [3, 5) [5, 8)", Cells(tree, 3));
        Assert.Equal(new LayerRange(3, 8), tree.Cell(4, range => range.Count <= 5));
        Assert.Equal(new LayerRange(0, 8), tree.Around(new(0, 3), 3));
        Assert.Equal(new LayerRange(3, 8), tree.Around(new(3, 5), 7));
    }

    [Fact]
    public void All_ranges_of_a_tree_nest_with_one_another_and_with_what_is_in_use()
        => Gen.Select(Gen.Long[1, 9].Array[2, 30], Gen.Select(Gen.Int[0, 29], Gen.Int[1, 30]).Array[0, 6]).Sample(
            (units, pairs) =>
            {
                var used = RangeTree.Nested(pairs.Select(pair => new LayerRange(pair.Item1, pair.Item2)).Where(range => range.First < range.End && range.End <= units.Length));
                var tree = new RangeTree(new UnitCosts(PlacementPlannerTests.Sized(units)), used);
                var cells = new List<LayerRange>();
                var all = new HashSet<LayerRange>(used);
                for (var most = units.Length; most > 0; most--)
                {
                    tree.Cells(range => range.Count <= most, cells);
                    Assert.Equal(units.Length, cells.Sum(cell => cell.Count));
                    all.UnionWith(cells);
                }

                Assert.All(all, one => Assert.DoesNotContain(all, other => RangeTree.Cross(one, other)));
                Assert.All(used, range => Assert.Equal(range, tree.Cell(range.First, cell => RangeTree.Contains(range, cell))));
            },
            iter: 500,
            threads: 1);

    private static string Cells(RangeTree tree, int most)
    {
        var cells = new List<LayerRange>();
        tree.Cells(range => range.Count <= most, cells);
        return string.Join(' ', cells);
    }
}
