using System.Numerics;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Factorization;

/// <summary>
/// The low-rank branch U·V that makes up most for what a residual R does to outputs: of all products of a rank it has
/// the least E|(R - U·V)·x|², which is the sum of the eigenvalues of R·S·Rᵀ that it drops (Eckart and Young, 1936, for
/// R·S^½). For at most as many outputs as inputs the top eigenvectors of R·S·Rᵀ are U; for more, those of the smaller
/// Lᵀ·Rᵀ·R·L with S = L·Lᵀ lead to them. In both cases V = Uᵀ·R: no inverse of S is taken, which may have none.
/// </summary>
/// <param name="Outputs">Rows of R.</param>
/// <param name="Inputs">Columns of R.</param>
/// <param name="Eigenvalues">All eigenvalues of the smaller product, descending, not negative.</param>
/// <param name="Basis">The columns of U, as many as were asked for: [outputs, rank], column-major, orthonormal (or zero, where the residual has no more directions).</param>
public sealed record ResidualBranch(int Outputs, int Inputs, double[] Eigenvalues, double[] Basis)
{
    /// <summary>Columns of U.</summary>
    public int Rank => Basis.Length / Outputs;

    /// <summary>Decomposes a residual.</summary>
    /// <param name="residual">R, [outputs, inputs], row-major; matrices that share an input may be stacked, to share V.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="moment">S, [inputs, inputs].</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="rank">Columns of U, at most as many as R has rows or columns.</param>
    /// <param name="provider">The linear algebra, or null for this process's.</param>
    /// <exception cref="ArgumentException">A length or the rank does not fit the dimensions.</exception>
    public static ResidualBranch Of(double[] residual, int outputs, double[] moment, int inputs, int rank, ILinearAlgebraProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(residual);
        ArgumentNullException.ThrowIfNull(moment);
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, Math.Min(outputs, inputs));
        if (residual.LongLength != (long)outputs * inputs || moment.LongLength != (long)inputs * inputs)
        {
            throw new ArgumentException($"{residual.LongLength} values and {moment.LongLength} moments do not fit a matrix of {outputs} x {inputs}.", nameof(residual));
        }

        provider ??= LinearAlgebra.Current.Provider;
        return outputs <= inputs ? Primal(residual, outputs, moment, inputs, rank, provider) : Dual(residual, outputs, moment, inputs, rank, provider);
    }

    /// <summary>E|(R - U·V)·x|² of the branch of some rank: the sum of the eigenvalues dropped.</summary>
    public double ErrorAt(int rank) => Eigenvalues.Skip(rank).Sum();

    /// <summary>
    /// The V with which E|(R - U·V)·x|² is least for a given U, whatever S is: the least-squares solution of U·V = R.
    /// For an orthonormal U it is Uᵀ·R; after U has been rounded it makes up for the rounding.
    /// </summary>
    /// <param name="u">U, [outputs, rank], column-major.</param>
    /// <param name="residual">R, [outputs, inputs], row-major.</param>
    /// <param name="outputs">Rows of U and R.</param>
    /// <param name="inputs">Columns of R.</param>
    /// <param name="provider">The linear algebra, or null for this process's.</param>
    /// <returns>V, [rank, inputs], row-major.</returns>
    public static double[] Refit(double[] u, double[] residual, int outputs, int inputs, ILinearAlgebraProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(u);
        ArgumentNullException.ThrowIfNull(residual);
        provider ??= LinearAlgebra.Current.Provider;
        var rank = u.Length / outputs;
        var (gram, v) = (new double[rank * rank], new double[(long)rank * inputs]);
        provider.MatrixMultiplyWithUpdate(Transpose.Transpose, Transpose.DontTranspose, 1.0, u, outputs, rank, u, outputs, rank, 0.0, gram);

        // Row-major R is Rᵀ as the library reads, and what it writes, [inputs, rank], is V row by row.
        var projected = new double[(long)rank * inputs];
        provider.MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.DontTranspose, 1.0, residual, inputs, outputs, u, outputs, rank, 0.0, projected);
        var inverse = PseudoInverse(gram, rank, provider);
        provider.MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.DontTranspose, 1.0, projected, inputs, rank, inverse, rank, rank, 0.0, v);
        return v;
    }

    private static ResidualBranch Primal(double[] residual, int outputs, double[] moment, int inputs, int rank, ILinearAlgebraProvider provider)
    {
        var (weighted, product) = (new double[residual.LongLength], new double[(long)outputs * outputs]);
        provider.MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.DontTranspose, 1.0, moment, inputs, inputs, residual, inputs, outputs, 0.0, weighted);
        provider.MatrixMultiplyWithUpdate(Transpose.Transpose, Transpose.DontTranspose, 1.0, residual, inputs, outputs, weighted, inputs, outputs, 0.0, product);
        var (values, vectors) = Eigen(product, outputs, provider);
        return new ResidualBranch(outputs, inputs, values, vectors.AsSpan(0, outputs * rank).ToArray());
    }

    private static ResidualBranch Dual(double[] residual, int outputs, double[] moment, int inputs, int rank, ILinearAlgebraProvider provider)
    {
        // S = L·Lᵀ with L = E·Λ^½ exists for every S, other than Cholesky's.
        var (moments, root) = Eigen(moment, inputs, provider);
        for (var column = 0; column < inputs; column++)
        {
            var scale = Math.Sqrt(moments[column]);
            foreach (ref var value in root.AsSpan(column * inputs, inputs))
            {
                value *= scale;
            }
        }

        // As the library reads: residual is Rᵀ [inputs, outputs]; A = R·L is [outputs, inputs].
        var (a, product) = (new double[residual.LongLength], new double[(long)inputs * inputs]);
        provider.MatrixMultiplyWithUpdate(Transpose.Transpose, Transpose.DontTranspose, 1.0, residual, inputs, outputs, root, inputs, inputs, 0.0, a);
        provider.MatrixMultiplyWithUpdate(Transpose.Transpose, Transpose.DontTranspose, 1.0, a, outputs, inputs, a, outputs, inputs, 0.0, product);
        var (values, vectors) = Eigen(product, inputs, provider);
        var basis = new double[(long)outputs * rank];
        provider.MatrixMultiplyWithUpdate(
            Transpose.DontTranspose, Transpose.DontTranspose, 1.0, a, outputs, inputs, vectors.AsSpan(0, inputs * rank).ToArray(), inputs, rank, 0.0, basis);
        for (var column = 0; column < rank; column++)
        {
            // Directions that hold nothing but rounding are left out.
            var scale = values[column] > 1e-12 * values[0] ? 1 / Math.Sqrt(values[column]) : 0;
            foreach (ref var value in basis.AsSpan(column * outputs, outputs))
            {
                value *= scale;
            }
        }

        return new ResidualBranch(outputs, inputs, values, basis);
    }

    /// <summary>Eigenvalues, descending and none below zero, and vectors as columns in that order, each with its largest value positive.</summary>
    private static (double[] Values, double[] Vectors) Eigen(double[] matrix, int order, ILinearAlgebraProvider provider)
    {
        var symmetric = (double[])matrix.Clone();
        for (var column = 0; column < order; column++)
        {
            for (var row = column + 1; row < order; row++)
            {
                symmetric[(long)row * order + column] = symmetric[(long)column * order + row];
            }
        }

        var (found, vectors, diagonal) = (new Complex[order], new double[symmetric.LongLength], new double[symmetric.LongLength]);
        provider.EigenDecomp(true, order, symmetric, vectors, found, diagonal);
        var descending = Enumerable.Range(0, order).OrderByDescending(index => found[index].Real).ThenBy(index => index).ToArray();
        var sorted = new double[vectors.LongLength];
        for (var column = 0; column < order; column++)
        {
            var source = vectors.AsSpan(descending[column] * order, order);
            var largest = 0;
            for (var i = 1; i < order; i++)
            {
                largest = Math.Abs(source[i]) > Math.Abs(source[largest]) ? i : largest;
            }

            var sign = source[largest] < 0 ? -1 : 1;
            var target = sorted.AsSpan(column * order, order);
            for (var i = 0; i < order; i++)
            {
                target[i] = sign * source[i];
            }
        }

        return ([.. descending.Select(index => Math.Max(found[index].Real, 0))], sorted);
    }

    private static double[] PseudoInverse(double[] gram, int order, ILinearAlgebraProvider provider)
    {
        var (values, vectors) = Eigen(gram, order, provider);
        var scaled = (double[])vectors.Clone();
        for (var column = 0; column < order; column++)
        {
            var scale = values[column] > 1e-10 * values[0] ? 1 / values[column] : 0;
            foreach (ref var value in scaled.AsSpan(column * order, order))
            {
                value *= scale;
            }
        }

        var inverse = new double[gram.Length];
        provider.MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.Transpose, 1.0, scaled, order, order, vectors, order, order, 0.0, inverse);
        return inverse;
    }
}
