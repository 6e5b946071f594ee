namespace EFedLLM.Node.Output;

/// <summary>One axis of a plot: from where to where, and where it is marked.</summary>
/// <param name="Min">The value at its beginning.</param>
/// <param name="Max">The value at its end, above <paramref name="Min"/>.</param>
/// <param name="IsLogarithmic">Whether equal ratios are equally long.</param>
/// <param name="Ticks">The marked values.</param>
internal sealed record PlotAxis(double Min, double Max, bool IsLogarithmic, IReadOnlyList<double> Ticks)
{
    private const int MostTicks = 7;
    private const double Margin = 0.06;

    /// <summary>An axis that suits some finite values: logarithmic where all are positive and the largest is more than <paramref name="ratio"/> times the smallest.</summary>
    public static PlotAxis For(IReadOnlyCollection<double> values, double ratio = 5) =>
        values.Count > 0 && values.Min() > 0 && values.Max() / values.Min() > ratio ? Logarithmic(values.Min(), values.Max()) : Linear(values);

    /// <summary>The axis of the whole numbers from 0 to <paramref name="last"/>.</summary>
    public static PlotAxis Counting(int last)
    {
        var step = Math.Max(1, (int)Math.Ceiling((last + 1) / 16.0));
        return new PlotAxis(0, Math.Max(last, 1), false, [.. Enumerable.Range(0, last / step + 1).Select(index => (double)index * step)]);
    }

    /// <summary>Where a value lies: 0 is the beginning, 1 the end.</summary>
    public double Place(double value) => IsLogarithmic ? Math.Log(value / Min) / Math.Log(Max / Min) : (value - Min) / (Max - Min);

    private static PlotAxis Linear(IReadOnlyCollection<double> values)
    {
        var (min, max) = values.Count > 0 ? (values.Min(), values.Max()) : (0, 1);
        if (max - min < Math.Max(Math.Abs(max), 1e-12) * 1e-9)
        {
            var around = max == 0 ? 1 : Math.Abs(max) / 10;
            (min, max) = (min - around, max + around);
        }

        var pad = (max - min) * Margin;
        (min, max) = (min >= 0 ? Math.Max(0, min - pad) : min - pad, max + pad);
        var step = Step((max - min) / (MostTicks - 1));
        var first = (long)Math.Ceiling(min / step - 1e-9);
        var last = (long)Math.Floor(max / step + 1e-9);
        return new PlotAxis(min, max, false, [.. Enumerable.Range(0, (int)(last - first) + 1).Select(index => (first + index) * step)]);
    }

    private static PlotAxis Logarithmic(double min, double max)
    {
        var pad = Math.Pow(max / min, Margin);
        (min, max) = (min / pad, max * pad);
        var decades = Enumerable.Range((int)Math.Floor(Math.Log10(min)), (int)Math.Ceiling(Math.Log10(max)) - (int)Math.Floor(Math.Log10(min)) + 1);
        double[] fine = Math.Log10(max / min) <= 2.5 ? [1, 2, 5] : [1];
        var ticks = decades.SelectMany(decade => fine.Select(digit => digit * Math.Pow(10, decade))).Where(tick => tick >= min && tick <= max).ToList();
        var every = (ticks.Count + MostTicks) / (MostTicks + 1);
        return new PlotAxis(min, max, true, [.. ticks.Where((_, index) => index % Math.Max(every, 1) == 0)]);
    }

    /// <summary>The least of 1, 2 and 5 times a power of ten that is at least <paramref name="least"/>.</summary>
    private static double Step(double least)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(least)));
        return power * (least <= power * 1.0000001 ? 1 : least <= 2 * power ? 2 : least <= 5 * power ? 5 : 10);
    }
}
