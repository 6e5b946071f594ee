using EFedLLM.Node.Output;

namespace EFedLLM.Node.Tests.Output;

public class PlotTests
{
    [Theory]
    [InlineData(0.0, 10.0)]
    [InlineData(1.2, 1.3)]
    [InlineData(-4.0, 3.0)]
    [InlineData(5.0, 5.0)]
    [InlineData(0.0, 0.0)]
    [InlineData(1e-9, 3e4)]
    [InlineData(0.02, 0.9)]
    [InlineData(4e5, 9e5)]
    public void An_axis_holds_its_values_and_has_some_ticks(double low, double high)
    {
        var axis = PlotAxis.For([low, high]);
        Assert.InRange(axis.Place(low), 0, 1);
        Assert.InRange(axis.Place(high), axis.Place(low), 1);
        Assert.InRange(axis.Ticks.Count, 2, 9);
        Assert.All(axis.Ticks, tick => Assert.InRange(axis.Place(tick), -1e-9, 1 + 1e-9));
        Assert.Equal(low > 0 && high / low > 5, axis.IsLogarithmic);
    }

    [Fact]
    public void On_a_logarithmic_axis_equal_ratios_are_equally_long()
    {
        var axis = PlotAxis.For([0.001, 10]);
        Assert.Equal(axis.Place(0.1) - axis.Place(0.01), axis.Place(1) - axis.Place(0.1), 1e-12);
        Assert.Equal([0.001, 0.01, 0.1, 1, 10], axis.Ticks.Select(tick => Math.Round(tick, 9)));
    }

    [Fact]
    public void Layers_are_counted_in_whole_numbers()
    {
        Assert.Equal([0, 1, 2, 3], PlotAxis.Counting(3).Ticks);
        Assert.InRange(PlotAxis.Counting(80).Ticks.Count, 8, 17);
        Assert.Equal(0, PlotAxis.Counting(0).Place(0));
    }

    [Fact]
    public void Labels_lie_neither_on_each_other_nor_on_points_nor_outside()
    {
        (double X, double Y, string Text)[] points = [(50, 100, "int8"), (70, 104, "default"), (90, 100, "4.5-bits"), (540, 20, "a-long-name"), (540, 180, "another-long-name")];
        var places = PlotLabels.Beside(points, 560, 200);
        var boxes = places.Select((place, i) => (Left: place.X, Top: place.Y - 11.25, Right: place.X + PlotLabels.Width(points[i].Text), Bottom: place.Y + 3.75)).ToList();
        for (var i = 0; i < boxes.Count; i++)
        {
            Assert.True(boxes[i].Left >= 0 && boxes[i].Right <= 560 && boxes[i].Top >= 0 && boxes[i].Bottom <= 200, points[i].Text);
            for (var j = 0; j < boxes.Count; j++)
            {
                Assert.False(i != j && boxes[i].Left < boxes[j].Right && boxes[j].Left < boxes[i].Right && boxes[i].Top < boxes[j].Bottom && boxes[j].Top < boxes[i].Bottom, $"{points[i].Text} on {points[j].Text}");
                Assert.False(boxes[i].Left < points[j].X && points[j].X < boxes[i].Right && boxes[i].Top < points[j].Y && points[j].Y < boxes[i].Bottom, $"{points[i].Text} on the point of {points[j].Text}");
            }
        }
    }

    [Fact]
    public void Names_at_the_ends_of_lines_are_a_line_apart_and_inside()
    {
        double[] wanted = [100, 101, 20, 299, 298, 300];
        var placed = PlotLabels.Spread(wanted, 300);
        var sorted = placed.Order().ToList();
        Assert.All(sorted.Zip(sorted.Skip(1), (low, high) => high - low), gap => Assert.True(gap >= PlotLabels.LineHeight - 1e-9));
        Assert.All(placed, height => Assert.InRange(height, 0, 300));
        Assert.Equal(20, placed[2]);
        Assert.Equal([2, 0, 1, 4, 3, 5], Enumerable.Range(0, 6).OrderBy(index => placed[index]));
    }
}
