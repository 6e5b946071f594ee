using EFedLLM.Compression.Calibration;
using EFedLLM.Compression.Factorization;
using EFedLLM.Compression.Tests.Quantization;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Tests.Factorization;

public sealed class ResidualBranchTests
{
    public static TheoryData<int, int, int, bool> Cases()
    {
        var cases = new TheoryData<int, int, int, bool>();
        foreach (var (outputs, inputs, rank) in new[] { (20, 30, 4), (30, 20, 4), (24, 24, 24), (50, 9, 3), (1, 12, 1) })
        {
            cases.Add(outputs, inputs, rank, false);
            cases.Add(outputs, inputs, rank, true);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_error_of_a_branch_is_the_sum_of_the_eigenvalues_it_drops(int outputs, int inputs, int rank, bool best)
    {
        var (residual, moment) = (Residual(outputs, inputs, seed: 1), Moments.Skewed(inputs, seed: 2));
        var branch = ResidualBranch.Of(residual, outputs, moment, inputs, rank, Provider(best));
        var v = ResidualBranch.Refit(branch.Basis, residual, outputs, inputs, Provider(best));
        var whole = OutputError.Of(residual, outputs, moment, inputs);
        Assert.Equal(branch.ErrorAt(rank), ErrorOf(branch.Basis, v, residual, moment, outputs, inputs), 1e-9 * whole);
        Assert.Equal(whole, branch.ErrorAt(0), 1e-9 * whole);
        Assert.Equal(branch.Eigenvalues.OrderDescending(), branch.Eigenvalues);
    }

    [Fact]
    public void No_other_branch_of_the_rank_leaves_less()
    {
        const int Outputs = 16, Inputs = 12, Rank = 3;
        var (residual, moment) = (Residual(Outputs, Inputs, seed: 3), Moments.Skewed(Inputs, seed: 4, dead: false));
        var least = ResidualBranch.Of(residual, Outputs, moment, Inputs, Rank).ErrorAt(Rank);
        for (var seed = 10; seed < 40; seed++)
        {
            double[] u = [.. GroupQuantizerTests.Gaussian(Outputs * Rank, seed)];
            var v = ResidualBranch.Refit(u, residual, Outputs, Inputs);
            Assert.True(ErrorOf(u, v, residual, moment, Outputs, Inputs) >= least * (1 - 1e-9), $"seed {seed}");
        }
    }

    [Theory]
    [InlineData(20, 30)]
    [InlineData(30, 20)]
    public void Refitting_V_never_increases_the_error(int outputs, int inputs)
    {
        const int Rank = 4;
        var (residual, moment) = (Residual(outputs, inputs, seed: 5), Moments.Skewed(inputs, seed: 6));
        var branch = ResidualBranch.Of(residual, outputs, moment, inputs, Rank);
        var v = ResidualBranch.Refit(branch.Basis, residual, outputs, inputs);
        for (var seed = 1; seed < 20; seed++)
        {
            var noise = GroupQuantizerTests.Gaussian(branch.Basis.Length, seed);
            double[] u = [.. branch.Basis.Select((value, index) => value + 0.02 * seed * noise[index])];
            var before = ErrorOf(u, v, residual, moment, outputs, inputs);
            var after = ErrorOf(u, ResidualBranch.Refit(u, residual, outputs, inputs), residual, moment, outputs, inputs);
            Assert.True(after <= before * (1 + 1e-9), $"seed {seed}: {before} became {after}");
        }
    }

    [Fact]
    public void Primal_and_dual_form_lead_to_the_same_branch()
    {
        // With a row of zeros more or less one matrix is taken by the one form, and one by the other.
        const int Inputs = 20, Rank = 5;
        var (square, moment) = (Residual(Inputs, Inputs, seed: 7), Moments.Skewed(Inputs, seed: 8));
        double[] taller = [.. square, .. new double[Inputs]];
        var (primal, dual) = (ResidualBranch.Of(square, Inputs, moment, Inputs, Rank), ResidualBranch.Of(taller, Inputs + 1, moment, Inputs, Rank));
        for (var k = 0; k < Rank; k++)
        {
            Assert.Equal(primal.Eigenvalues[k], dual.Eigenvalues[k], 1e-9 * primal.Eigenvalues[0]);
            var product = Enumerable.Range(0, Inputs).Sum(i => primal.Basis[k * Inputs + i] * dual.Basis[k * (Inputs + 1) + i]);
            Assert.Equal(1, Math.Abs(product), 1e-6);
        }
    }

    [Fact]
    public void A_residual_with_fewer_directions_than_the_rank_gives_finite_factors()
    {
        const int Outputs = 30, Inputs = 12, Rank = 6;
        var residual = new double[Outputs * Inputs];
        residual[5] = 1;
        var branch = ResidualBranch.Of(residual, Outputs, Moments.Skewed(Inputs, seed: 1, dead: false), Inputs, Rank);
        var v = ResidualBranch.Refit(branch.Basis, residual, Outputs, Inputs);
        Assert.All(branch.Basis.Concat(v), value => Assert.True(double.IsFinite(value)));
        Assert.Throws<ArgumentOutOfRangeException>(() => ResidualBranch.Of(residual, Outputs, new double[Inputs * Inputs], Inputs, 13));
        Assert.Throws<ArgumentException>(() => ResidualBranch.Of(residual, Outputs, new double[5], Inputs, 1));
    }

    private static ILinearAlgebraProvider Provider(bool best) => best ? LinearAlgebra.Current.Provider : ManagedLinearAlgebraProvider.Instance;

    private static double[] Residual(int outputs, int inputs, int seed) => [.. GroupQuantizerTests.Gaussian(outputs * inputs, seed)];

    private static double ErrorOf(double[] u, double[] v, double[] residual, double[] moment, int outputs, int inputs)
    {
        var left = (double[])residual.Clone();
        for (var k = 0; k < u.Length / outputs; k++)
        {
            for (var i = 0; i < outputs; i++)
            {
                for (var j = 0; j < inputs; j++)
                {
                    left[i * inputs + j] -= u[k * outputs + i] * v[k * inputs + j];
                }
            }
        }

        return OutputError.Of(left, outputs, moment, inputs);
    }
}
