namespace EFedLLM.Node.Output;

/// <summary>Where the labels of a plot go, so that none lies on another. Lengths are in the units of the drawing.</summary>
internal static class PlotLabels
{
    /// <summary>Height of a line of text.</summary>
    public const double LineHeight = 15;

    private const double CharacterWidth = 6.6;
    private const double Gap = 9;
    private const double PointRadius = 6;

    /// <summary>A label's place.</summary>
    /// <param name="X">Left end of the text.</param>
    /// <param name="Y">Its base line.</param>
    internal readonly record struct Place(double X, double Y);

    /// <summary>About how wide a text is.</summary>
    public static double Width(string text) => text.Length * CharacterWidth;

    /// <summary>
    /// Places a label beside each point, one after the other: right of it, left, above, below or diagonally, whichever comes first that is inside
    /// of the frame and free of points and of other labels; where none is, right of it in the left half and left of it in the right half.
    /// </summary>
    /// <param name="points">The points and their labels.</param>
    /// <param name="width">Width of the frame, from 0.</param>
    /// <param name="height">Height of the frame, from 0.</param>
    /// <param name="placed">A label that is there already, or null.</param>
    public static IReadOnlyList<Place> Beside(IReadOnlyList<(double X, double Y, string Text)> points, double width, double height, (Place Place, string Text)? placed = null)
    {
        var taken = points.Select(point => new Box(point.X - PointRadius, point.Y - PointRadius, point.X + PointRadius, point.Y + PointRadius)).ToList();
        if (placed is { } other)
        {
            taken.Add(Box.Of(other.Place, Width(other.Text)));
        }

        var places = new List<Place>();
        foreach (var (x, y, text) in points)
        {
            var length = Width(text);
            var middle = y + LineHeight / 3;
            Place[] candidates =
            [
                new(x + Gap, middle), new(x - Gap - length, middle),
                new(x - length / 2, y - Gap), new(x - length / 2, y + Gap + LineHeight * 0.75),
                new(x + Gap, middle - LineHeight), new(x + Gap, middle + LineHeight), new(x - Gap - length, middle - LineHeight), new(x - Gap - length, middle + LineHeight),
                new(x + Gap, middle - 2 * LineHeight), new(x - Gap - length, middle - 2 * LineHeight), new(x - Gap - length, middle + 2 * LineHeight),
            ];
            var place = candidates.FirstOrDefault(candidate => IsFree(Box.Of(candidate, length), taken, width, height), candidates[x < width / 2 ? 0 : 1]);
            places.Add(place);
            taken.Add(Box.Of(place, length));
        }

        return places;
    }

    /// <summary>Moves heights apart until neighbours are a line from each other, as little as may be, and keeps them inside of the frame where they fit.</summary>
    /// <param name="heights">The wanted heights, in any order.</param>
    /// <param name="height">Height of the frame, from 0.</param>
    public static IReadOnlyList<double> Spread(IReadOnlyList<double> heights, double height)
    {
        var order = Enumerable.Range(0, heights.Count).OrderBy(index => heights[index]).ToArray();
        var placed = new double[heights.Count];
        var low = double.NegativeInfinity;
        foreach (var index in order)
        {
            low = placed[index] = Math.Max(heights[index], low + LineHeight);
        }

        var high = height;
        foreach (var index in order.Reverse())
        {
            placed[index] = Math.Min(placed[index], high);
            high = placed[index] - LineHeight;
        }

        return placed;
    }

    private static bool IsFree(Box box, List<Box> taken, double width, double height) =>
        box.Left >= 0 && box.Right <= width && box.Top >= 0 && box.Bottom <= height && !taken.Exists(box.Overlaps);

    private readonly record struct Box(double Left, double Top, double Right, double Bottom)
    {
        public static Box Of(Place place, double length) => new(place.X, place.Y - LineHeight * 0.75, place.X + length, place.Y + LineHeight * 0.25);

        public bool Overlaps(Box other) => Left < other.Right && other.Left < Right && Top < other.Bottom && other.Top < Bottom;
    }
}
