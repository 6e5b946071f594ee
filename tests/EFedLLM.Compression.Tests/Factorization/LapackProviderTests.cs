using System.Numerics;
using EFedLLM.Compression.Factorization;
using EFedLLM.Compression.Tests.Quantization;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Tests.Factorization;

public sealed class LapackProviderTests
{
    private static readonly Lazy<ILinearAlgebraProvider> Native = new(() => LapackProvider.Over(
        LapackLibrary.Find() ?? throw new DllNotFoundException("No library with LAPACK's names is installed: install OpenBLAS (Debian: libopenblas0).")));

    [NativeTheory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Products_agree_with_the_managed_ones(bool turnA, bool turnB)
    {
        const int M = 7, N = 5, K = 11;
        var (a, b, c) = (Numbers(M * K, 1), Numbers(K * N, 2), Numbers(M * N, 3));
        var managed = (double[])c.Clone();
        Multiply(Native.Value, c);
        Multiply(ManagedLinearAlgebraProvider.Instance, managed);
        AssertClose(managed, c, 1e-13);

        void Multiply(ILinearAlgebraProvider<double> provider, double[] result) => provider.MatrixMultiplyWithUpdate(
            turnA ? Transpose.Transpose : Transpose.DontTranspose, turnB ? Transpose.Transpose : Transpose.DontTranspose,
            0.5, a, turnA ? K : M, turnA ? M : K, b, turnB ? N : K, turnB ? K : N, -2, result);
    }

    [NativeTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(33)]
    [InlineData(100)]
    public void Eigenvalues_agree_and_their_vectors_rebuild_the_matrix(int order)
    {
        var numbers = Numbers(order * order, order);
        var symmetric = new double[order * order];
        for (var i = 0; i < order; i++)
        {
            for (var j = 0; j < order; j++)
            {
                symmetric[i * order + j] = numbers[i * order + j] + numbers[j * order + i];
            }
        }

        var (values, vectors, rebuilt) = Decompose(Native.Value);
        var (expected, _, _) = Decompose(ManagedLinearAlgebraProvider.Instance);
        AssertClose([.. expected.Select(value => value.Real)], [.. values.Select(value => value.Real)], 1e-11);
        AssertClose(symmetric, rebuilt, 1e-11);
        AssertOrthonormal(vectors, order, order, 1e-12);

        (Complex[] Values, double[] Vectors, double[] Rebuilt) Decompose(ILinearAlgebraProvider<double> provider)
        {
            var (found, columns, diagonal) = (new Complex[order], new double[order * order], new double[order * order]);
            provider.EigenDecomp(true, order, (double[])symmetric.Clone(), columns, found, diagonal);
            var (scaled, product) = (new double[order * order], new double[order * order]);
            ManagedLinearAlgebraProvider.Instance.MatrixMultiply(columns, order, order, diagonal, order, order, scaled);
            ManagedLinearAlgebraProvider.Instance.MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.Transpose, 1.0, scaled, order, order, columns, order, order, 0.0, product);
            return (found, columns, product);
        }
    }

    [NativeTheory]
    [InlineData(20, 33)]
    [InlineData(33, 20)]
    public void Singular_values_agree_in_both_precisions(int rows, int columns)
    {
        var numbers = Numbers(rows * columns, 9);
        var expected = Matrix<double>.Build.Dense(rows, columns, (double[])numbers.Clone()).Svd().S.ToArray();
        var (s, u, vt) = (new double[Math.Min(rows, columns)], new double[rows * rows], new double[columns * columns]);
        Native.Value.SingularValueDecomposition(true, (double[])numbers.Clone(), rows, columns, s, u, vt);
        AssertClose(expected, s, 1e-12);
        AssertOrthonormal(u, rows, rows, 1e-12);
        var only = new double[s.Length];
        Native.Value.SingularValueDecomposition(false, (double[])numbers.Clone(), rows, columns, only, new double[rows * rows], new double[columns * columns]);
        AssertClose(expected, only, 1e-12);
        var (sf, uf, vtf) = (new float[s.Length], new float[u.Length], new float[vt.Length]);
        Native.Value.SingularValueDecomposition(true, Array.ConvertAll(numbers, number => (float)number), rows, columns, sf, uf, vtf);
        AssertClose(expected, Array.ConvertAll(sf, value => (double)value), 1e-4);
    }

    [NativeTheory]
    [InlineData(12)]
    public void What_the_library_is_not_asked_for_is_computed_by_the_managed_provider(int order)
    {
        var numbers = Numbers(order * order, 4);
        var (values, vectors, diagonal) = (new Complex[order], new double[order * order], new double[order * order]);
        // A matrix that is not symmetric, and a routine that is not routed.
        Native.Value.EigenDecomp(false, order, (double[])numbers.Clone(), vectors, values, diagonal);
        Assert.Equal(Enumerable.Range(0, order).Sum(i => numbers[i * order + i]), values.Sum(value => value.Real), 1e-10);
        Assert.Equal(numbers.Zip(numbers, (a, b) => a * b).Sum(), Native.Value.DotProduct(numbers, numbers), 1e-12);
        Assert.Throws<ArgumentException>(() => Native.Value.AddArrays(numbers, new double[1], numbers));
    }

    [NativeTheory]
    [InlineData(3, 4, 5, 6)]
    public void Matrices_that_do_not_fit_are_refused_before_the_library_sees_them(int rowsA, int columnsA, int rowsB, int columnsB) =>
        Assert.Throws<ArgumentException>(() => Native.Value.MatrixMultiply(new double[rowsA * columnsA], rowsA, columnsA, new double[rowsB * columnsB], rowsB, columnsB, new double[rowsA * columnsB]));

    [NativeTheory]
    [InlineData("")]
    public void The_best_library_present_is_chosen_and_named(string variable)
    {
        var chosen = LinearAlgebra.Choose(variable);
        Assert.True(chosen.IsNative);
        Assert.Matches(@"^(OpenBLAS|oneMKL|LAPACK|Intel).*\(.+\)$", chosen.Name);
    }

    [Fact]
    public void Managed_code_can_be_asked_for_by_name()
    {
        var chosen = LinearAlgebra.Choose("managed");
        Assert.False(chosen.IsNative);
        Assert.False(chosen.IsFast);
        Assert.Equal("MathNet managed", chosen.Name);
    }

    [Theory]
    [InlineData("/nowhere/libmissing.so")]
    [InlineData("libc.so.6")]
    public void A_named_library_that_is_missing_or_has_no_such_routines_is_refused_by_name(string name)
    {
        var error = Assert.Throws<InvalidOperationException>(() => LinearAlgebra.Choose(name));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Contains(LinearAlgebra.Variable, error.Message, StringComparison.Ordinal);
    }

    internal static void AssertOrthonormal(double[] columns, int length, int count, double tolerance)
    {
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                var dot = columns.AsSpan(i * length, length).ToArray().Zip(columns.AsSpan(j * length, length).ToArray(), (a, b) => a * b).Sum();
                Assert.Equal(i == j ? 1 : 0, dot, tolerance);
            }
        }
    }

    private static double[] Numbers(int count, int seed) => Array.ConvertAll(GroupQuantizerTests.Gaussian(count, seed), value => (double)value);

    private static void AssertClose(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], tolerance);
        }
    }
}
