using System.Numerics;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Factorization;

/// <summary>
/// The best approximation of a matrix by one of lower rank (Eckart and Young, 1936). The singular vectors of the
/// shorter side are the eigenvectors of W·Wᵀ or Wᵀ·W, computed in float64; the other side is W's projection on them,
/// so that the error is that of the kept space and not of a division by small singular values. What float64 loses in
/// the square, singular values below 1e-8 of the largest, float32 weights do not hold either.
/// </summary>
public static class TruncatedSvd
{
    /// <summary>Factors a matrix. Each singular value's root goes to either side; of each left vector's elements the one of largest magnitude is positive.</summary>
    /// <param name="weights">W, [outputs, inputs], row-major, finite.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="rank">1 to the smaller dimension.</param>
    /// <param name="provider">Computes products and eigenvectors, or null for <see cref="LinearAlgebra.Current"/>.</param>
    public static LowRankFactors Compute(ReadOnlySpan<float> weights, int outputs, int inputs, int rank, ILinearAlgebraProvider? provider = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputs);
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, Math.Min(outputs, inputs));
        if (weights.Length != (long)outputs * inputs)
        {
            throw new ArgumentException($"There are {weights.Length} weights for a matrix of {outputs} x {inputs}.", nameof(weights));
        }

        provider ??= LinearAlgebra.Current.Provider;

        // Row-major W, read column by column as MathNet reads, is Wᵀ: [inputs, outputs].
        var turned = new double[weights.Length];
        for (var i = 0; i < turned.Length; i++)
        {
            turned[i] = weights[i];
        }

        var wide = outputs <= inputs;
        var order = Math.Min(outputs, inputs);
        var basis = TopEigenvectors(Gram(provider, turned, outputs, inputs, wide), order, rank, provider);

        // Column-major on both sides: [inputs, rank] = Wᵀ·basis, or [outputs, rank] = W·basis.
        var projected = new double[(long)(wide ? inputs : outputs) * rank];
        provider.MatrixMultiplyWithUpdate(wide ? Transpose.DontTranspose : Transpose.Transpose, Transpose.DontTranspose, 1.0, turned, inputs, outputs, basis, order, rank, 0.0, projected);
        return Balance(wide ? basis : projected, wide ? projected : basis, outputs, inputs, rank, wide);
    }

    private static double[] Gram(ILinearAlgebraProvider provider, double[] turned, int outputs, int inputs, bool wide)
    {
        var order = Math.Min(outputs, inputs);
        var gram = new double[(long)order * order];
        var (first, second) = wide ? (Transpose.Transpose, Transpose.DontTranspose) : (Transpose.DontTranspose, Transpose.Transpose);
        provider.MatrixMultiplyWithUpdate(first, second, 1.0, turned, inputs, outputs, turned, inputs, outputs, 0.0, gram);

        // A product computed in tiles need not be symmetric to the last bit, and routines read different triangles.
        for (var column = 0; column < order; column++)
        {
            for (var row = column + 1; row < order; row++)
            {
                gram[(long)row * order + column] = gram[(long)column * order + row];
            }
        }

        return gram;
    }

    /// <summary>The eigenvectors of the largest eigenvalues, largest first, as columns: [order, rank], column-major.</summary>
    private static double[] TopEigenvectors(double[] gram, int order, int rank, ILinearAlgebraProvider provider)
    {
        var (vectors, values, diagonal) = (new double[gram.Length], new Complex[order], new double[gram.Length]);
        provider.EigenDecomp(true, order, gram, vectors, values, diagonal);
        var descending = Enumerable.Range(0, order).OrderByDescending(index => values[index].Real).ThenBy(index => index).Take(rank);
        var top = new double[(long)order * rank];
        var position = 0;
        foreach (var index in descending)
        {
            vectors.AsSpan(index * order, order).CopyTo(top.AsSpan(position++ * order, order));
        }

        return top;
    }

    private static LowRankFactors Balance(double[] left, double[] right, int outputs, int inputs, int rank, bool wide)
    {
        var (u, v, singular) = (new float[(long)outputs * rank], new float[(long)rank * inputs], new double[rank]);
        for (var k = 0; k < rank; k++)
        {
            var leftColumn = left.AsSpan(k * outputs, outputs);
            var rightColumn = right.AsSpan(k * inputs, inputs);
            singular[k] = Norm(wide ? rightColumn : leftColumn);
            var sign = leftColumn[LargestAt(leftColumn)] < 0 ? -1 : 1;
            var root = Math.Sqrt(singular[k]);
            var (grow, shrink) = (sign * root, root > 0 ? sign / root : 0);
            var (leftFactor, rightFactor) = wide ? (grow, shrink) : (shrink, grow);
            for (var i = 0; i < outputs; i++)
            {
                u[(long)i * rank + k] = (float)(leftColumn[i] * leftFactor);
            }

            for (var j = 0; j < inputs; j++)
            {
                v[(long)k * inputs + j] = (float)(rightColumn[j] * rightFactor);
            }
        }

        return new LowRankFactors(outputs, inputs, rank, u, v, singular);
    }

    private static double Norm(ReadOnlySpan<double> values)
    {
        var sum = 0.0;
        foreach (var value in values)
        {
            sum += value * value;
        }

        return Math.Sqrt(sum);
    }

    private static int LargestAt(ReadOnlySpan<double> values)
    {
        var at = 0;
        for (var i = 1; i < values.Length; i++)
        {
            if (Math.Abs(values[i]) > Math.Abs(values[at]))
            {
                at = i;
            }
        }

        return at;
    }
}
