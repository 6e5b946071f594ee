namespace EFedLLM.Compression.Allocation;

/// <summary>
/// Chooses one option for each matrix so that the losses' sum is least within a budget of bytes, by Lagrange's
/// multiplier (Everett, 1963; for bits: Shoham and Gersho, 1988): for a price per byte every matrix chooses by itself,
/// and what all choose is the best there is for the bytes it takes. Between two prices, where single matrices change,
/// the remaining bytes go to the changes that save most per byte, and then to exchanges between two matrices.
/// </summary>
public static class BudgetAllocator
{
    /// <summary>Chooses.</summary>
    /// <param name="choices">For each matrix its options, at least one.</param>
    /// <param name="budget">Bytes that all may take together.</param>
    /// <returns>For each matrix the index of its option; or null where even the smallest options exceed the budget.</returns>
    public static int[]? Choose(IReadOnlyList<IReadOnlyList<MatrixOption>> choices, long budget)
    {
        ArgumentNullException.ThrowIfNull(choices);
        var hulls = choices.Select(Hull).ToArray();
        var at = new int[choices.Count];
        var left = budget - hulls.Select((hull, index) => choices[index][hull[0]].Bytes).Sum();
        if (left < 0)
        {
            return null;
        }

        // Along a hull each step saves less per byte than the one before, so that the order of price keeps every matrix's own order.
        var steps = hulls.SelectMany((hull, matrix) => Enumerable.Range(1, hull.Length - 1).Select(step => (Matrix: matrix, Step: step)))
            .OrderByDescending(step => Price(choices[step.Matrix], hulls[step.Matrix], step.Step))
            .ThenBy(step => step.Matrix)
            .ThenBy(step => step.Step);
        foreach (var (matrix, step) in steps)
        {
            var bytes = choices[matrix][hulls[matrix][step]].Bytes - choices[matrix][hulls[matrix][step - 1]].Bytes;
            if (at[matrix] == step - 1 && bytes <= left)
            {
                at[matrix] = step;
                left -= bytes;
            }
        }

        var chosen = at.Select((step, matrix) => hulls[matrix][step]).ToArray();
        Exchange(choices, chosen, ref left);
        return chosen;
    }

    /// <summary>The options on the lower convex hull of loss over bytes, by ascending bytes: the only ones that some price makes best.</summary>
    internal static int[] Hull(IReadOnlyList<MatrixOption> options)
    {
        var hull = new List<int>();
        foreach (var index in Enumerable.Range(0, options.Count).OrderBy(index => options[index].Bytes).ThenBy(index => options[index].Loss).ThenBy(index => index))
        {
            var option = options[index];
            if (hull.Count > 0 && options[hull[^1]].Loss <= option.Loss)
            {
                continue;
            }

            while (hull.Count > 1 && IsAbove(options[hull[^2]], options[hull[^1]], option))
            {
                hull.RemoveAt(hull.Count - 1);
            }

            hull.Add(index);
        }

        return [.. hull];
    }

    private static bool IsAbove(MatrixOption first, MatrixOption middle, MatrixOption last) =>
        (first.Loss - middle.Loss) * (last.Bytes - middle.Bytes) <= (middle.Loss - last.Loss) * (middle.Bytes - first.Bytes);

    private static double Price(IReadOnlyList<MatrixOption> options, int[] hull, int step)
    {
        var (before, after) = (options[hull[step - 1]], options[hull[step]]);
        return (before.Loss - after.Loss) / (after.Bytes - before.Bytes);
    }

    /// <summary>Changes single options, and pairs of them, as long as that fits and saves anything.</summary>
    private static void Exchange(IReadOnlyList<IReadOnlyList<MatrixOption>> choices, int[] chosen, ref long left)
    {
        while (true)
        {
            var best = (Saved: 0.0, First: -1, FirstTo: 0, Second: -1, SecondTo: 0, Bytes: 0L);
            for (var first = 0; first < choices.Count; first++)
            {
                for (var to = 0; to < choices[first].Count; to++)
                {
                    var (bytes, saved) = Change(choices[first], chosen[first], to);
                    if (saved <= 0)
                    {
                        continue;
                    }

                    if (bytes <= left && saved > best.Saved)
                    {
                        best = (saved, first, to, -1, 0, bytes);
                    }

                    for (var second = 0; bytes > left && second < choices.Count; second++)
                    {
                        for (var back = 0; second != first && back < choices[second].Count; back++)
                        {
                            var (given, lost) = Change(choices[second], chosen[second], back);
                            if (bytes + given <= left && saved + lost > best.Saved * (1 + 1e-12) && saved + lost > 0)
                            {
                                best = (saved + lost, first, to, second, back, bytes + given);
                            }
                        }
                    }
                }
            }

            if (best.First < 0)
            {
                return;
            }

            chosen[best.First] = best.FirstTo;
            if (best.Second >= 0)
            {
                chosen[best.Second] = best.SecondTo;
            }

            left -= best.Bytes;
        }
    }

    private static (long Bytes, double Saved) Change(IReadOnlyList<MatrixOption> options, int from, int to) =>
        (options[to].Bytes - options[from].Bytes, options[from].Loss - options[to].Loss);
}
