namespace EFedLLM.Node.Bench;

/// <summary>Order statistics of a few repetitions.</summary>
internal static class Statistics
{
    /// <summary>The value below which the share <paramref name="share"/> of the values lies, interpolated between neighbours.</summary>
    /// <exception cref="ArgumentException">There are no values.</exception>
    public static double Quantile(IReadOnlyCollection<double> values, double share)
    {
        if (values.Count == 0)
        {
            throw new ArgumentException("There are no values.", nameof(values));
        }

        var sorted = values.Order().ToArray();
        var at = share * (sorted.Length - 1);
        var below = (int)at;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }

    /// <summary>Half of the spread between the quartiles, as a share of the median.</summary>
    public static double Deviation(IReadOnlyCollection<double> values)
    {
        var median = Quantile(values, 0.5);
        return median == 0 ? 0 : (Quantile(values, 0.75) - Quantile(values, 0.25)) / 2 / median;
    }
}
