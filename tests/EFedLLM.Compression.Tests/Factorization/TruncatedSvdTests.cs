using EFedLLM.Compression.Factorization;
using EFedLLM.Compression.Tests.Quantization;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Tests.Factorization;

public sealed class TruncatedSvdTests
{
    public static TheoryData<int, int, int, bool> Cases()
    {
        var cases = new TheoryData<int, int, int, bool>();
        foreach (var (outputs, inputs, rank) in new[] { (1, 1, 1), (24, 40, 7), (40, 24, 7), (32, 32, 32), (64, 9, 3), (1, 50, 1) })
        {
            cases.Add(outputs, inputs, rank, false);
            cases.Add(outputs, inputs, rank, true);
        }

        return cases;
    }

    /// <summary>Managed code, or what this machine runs, which is the same where nothing native is installed.</summary>
    private static ILinearAlgebraProvider Provider(bool best) => best ? LinearAlgebra.Current.Provider : ManagedLinearAlgebraProvider.Instance;

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_error_is_what_the_dropped_singular_values_say(int outputs, int inputs, int rank, bool best)
    {
        var weights = GroupQuantizerTests.Gaussian(outputs * inputs, seed: outputs * 100 + inputs);
        var singular = Matrix<double>.Build.Dense(inputs, outputs, Array.ConvertAll(weights, value => (double)value)).Svd().S;
        var factors = TruncatedSvd.Compute(weights, outputs, inputs, rank, Provider(best));
        var error = 0.0;
        for (var row = 0; row < outputs; row++)
        {
            for (var column = 0; column < inputs; column++)
            {
                var sum = Enumerable.Range(0, rank).Sum(k => (double)factors.U[row * rank + k] * factors.V[k * inputs + column]);
                error += Math.Pow(weights[row * inputs + column] - sum, 2);
            }
        }

        var energy = singular.Sum(value => value * value);
        Assert.Equal(singular.Skip(rank).Sum(value => value * value) / energy, error / energy, 1e-6);
        for (var k = 0; k < rank; k++)
        {
            Assert.Equal(singular[k], factors.SingularValues[k], 1e-6 * singular[0]);
        }
    }

    [Theory]
    [InlineData(24, 40, false)]
    [InlineData(24, 40, true)]
    [InlineData(40, 24, false)]
    [InlineData(40, 24, true)]
    public void Both_sides_are_orthogonal_and_share_each_singular_value_evenly(int outputs, int inputs, bool best)
    {
        const int Rank = 9;
        var factors = TruncatedSvd.Compute(GroupQuantizerTests.Gaussian(outputs * inputs, 3), outputs, inputs, Rank, Provider(best));
        var left = new double[outputs * Rank];
        var right = new double[Rank * inputs];
        for (var k = 0; k < Rank; k++)
        {
            var root = Math.Sqrt(factors.SingularValues[k]);
            for (var i = 0; i < outputs; i++)
            {
                left[k * outputs + i] = factors.U[i * Rank + k] / root;
            }

            for (var j = 0; j < inputs; j++)
            {
                right[k * inputs + j] = factors.V[k * inputs + j] / root;
            }
        }

        LapackProviderTests.AssertOrthonormal(left, outputs, Rank, 1e-6);
        LapackProviderTests.AssertOrthonormal(right, inputs, Rank, 1e-6);
    }

    [Fact]
    public void Every_provider_gives_vectors_of_the_same_sign()
    {
        var weights = GroupQuantizerTests.Gaussian(30 * 50, 8);
        var (managed, best) = (TruncatedSvd.Compute(weights, 30, 50, 6, Provider(false)), TruncatedSvd.Compute(weights, 30, 50, 6, Provider(true)));
        for (var i = 0; i < managed.U.Length; i++)
        {
            Assert.Equal(managed.U[i], best.U[i], 1e-5f);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_matrix_of_lower_rank_than_asked_leaves_the_rest_near_zero(bool best)
    {
        var (column, row) = (GroupQuantizerTests.Gaussian(20, 1), GroupQuantizerTests.Gaussian(30, 2));
        float[] weights = [.. column.SelectMany(left => row.Select(right => left * right))];
        var factors = TruncatedSvd.Compute(weights, 20, 30, 5, Provider(best));
        Assert.All(factors.SingularValues[1..], value => Assert.InRange(value, 0, 1e-5 * factors.SingularValues[0]));
        Assert.All(factors.U.Concat(factors.V), value => Assert.True(float.IsFinite(value)));
        var zero = TruncatedSvd.Compute(new float[20 * 30], 20, 30, 5, Provider(best));
        Assert.All(zero.U.Concat(zero.V), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Ranks_and_dimensions_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => TruncatedSvd.Compute(new float[12], 3, 4, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => TruncatedSvd.Compute(new float[12], 3, 4, 0));
        Assert.Throws<ArgumentException>(() => TruncatedSvd.Compute(new float[11], 3, 4, 2));
    }
}
