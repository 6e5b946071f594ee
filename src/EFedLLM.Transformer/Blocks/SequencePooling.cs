using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>What is made of a sequence's rows as a whole, the same bits everywhere.</summary>
public static class SequencePooling
{
    /// <summary>The mean of the rows: their sum in ascending order, one accumulator for each column, over their number.</summary>
    /// <param name="rows">[positions, width], at least one row.</param>
    /// <param name="mean">[width], overwritten.</param>
    /// <exception cref="ArgumentException">The rows are not whole, or there are none.</exception>
    public static void Mean(ReadOnlySpan<float> rows, Span<float> mean)
    {
        if (mean.IsEmpty || rows.IsEmpty || rows.Length % mean.Length != 0)
        {
            throw new ArgumentException($"{rows.Length} values are no rows of {mean.Length}.", nameof(rows));
        }

        mean.Clear();
        for (var start = 0; start < rows.Length; start += mean.Length)
        {
            FloatKernels.Best.Add(mean, rows.Slice(start, mean.Length));
        }

        float count = rows.Length / mean.Length;
        for (var i = 0; i < mean.Length; i++)
        {
            mean[i] /= count;
        }
    }

    /// <summary>Scales a vector to length 1, so that a dot product of two of them is their cosine. One of length 0 stays as it is.</summary>
    /// <param name="vector">Finite values.</param>
    public static void Normalize(Span<float> vector)
    {
        var sum = 0d;
        foreach (var value in vector)
        {
            sum += (double)value * value;
        }

        // In float64 no square of a float32 overflows or vanishes.
        var scale = sum > 0 ? 1 / Math.Sqrt(sum) : 0;
        for (var i = 0; i < vector.Length; i++)
        {
            vector[i] = (float)(vector[i] * scale);
        }
    }

    /// <summary>x[i] becomes tanh(x[i]).</summary>
    internal static void Tanh(Span<float> x)
    {
        for (var i = 0; i < x.Length; i++)
        {
            x[i] = (float)DoubleMath.Tanh(x[i]);
        }
    }
}
