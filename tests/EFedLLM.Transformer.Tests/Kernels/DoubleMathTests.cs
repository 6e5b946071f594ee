using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Kernels;

/// <summary>Compared with the platform's own functions, which are right to about one unit in the last place wherever tests run.</summary>
public sealed class DoubleMathTests
{
    [Fact]
    public void Exp_is_accurate_over_its_whole_range()
    {
        for (var x = -708.0; x < 709; x += 0.37)
        {
            AssertClose(Math.Exp(x), DoubleMath.Exp(x), x);
        }

        Assert.Equal(1, DoubleMath.Exp(0));
        Assert.Equal(0, DoubleMath.Exp(-1e300));
        Assert.Equal(0, DoubleMath.Exp(double.NegativeInfinity));
        Assert.Equal(double.Epsilon, DoubleMath.Exp(-745));
        Assert.Equal(double.PositiveInfinity, DoubleMath.Exp(1e300));
        Assert.True(double.IsNaN(DoubleMath.Exp(double.NaN)));
    }

    [Fact]
    public void Log_is_accurate_from_the_smallest_to_the_largest_number()
    {
        for (var x = double.Epsilon; x < 1e308; x *= 1.37)
        {
            AssertClose(Math.Log(x), DoubleMath.Log(x), x);
            x = Math.Max(x, 3 * double.Epsilon);
        }

        foreach (var x in new[] { 1.0, Math.BitIncrement(1), Math.BitDecrement(1), Math.Sqrt(2), Math.Sqrt(0.5), double.MaxValue, 10000, 1e6 })
        {
            AssertClose(Math.Log(x), DoubleMath.Log(x), x);
        }
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(-1.0)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void What_has_no_logarithm_is_refused(double x) => Assert.Throws<ArgumentOutOfRangeException>(() => DoubleMath.Log(x));

    [Fact]
    public void Sine_and_cosine_are_accurate_up_to_the_longest_contexts()
    {
        for (var i = 0; i < 20_000; i++)
        {
            AssertAngle(i * 0.01);
            AssertAngle(-i * 0.73);
            AssertAngle(i * 6710.8864); // up to 2^27
            AssertAngle(i * (Math.PI / 4));
        }
    }

    [Theory]
    [InlineData(2e8)]
    [InlineData(double.NaN)]
    [InlineData(double.NegativeInfinity)]
    public void Angles_beyond_reduction_are_refused(double x) => Assert.Throws<ArgumentOutOfRangeException>(() => DoubleMath.SinCos(x));

    private static void AssertAngle(double x)
    {
        var (sin, cos) = DoubleMath.SinCos(x);
        Assert.True(Math.Abs(Math.Sin(x) - sin) < 4e-16 && Math.Abs(Math.Cos(x) - cos) < 4e-16, $"at {x:R}: {sin:R} {cos:R}");
    }

    private static void AssertClose(double expected, double actual, double x) =>
        Assert.True(Math.Abs(actual - expected) <= 1e-15 * Math.Abs(expected), $"at {x:R}: {actual:R} instead of {expected:R}");
}
