using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Kernels;

/// <summary>What an encoder needs beyond a decoder, compared with float64. The bits at every width are <see cref="FloatKernelsTests"/>' business.</summary>
public sealed class EncoderKernelsTests
{
    [Fact]
    public void Gelu_is_within_6e_7_of_its_value_however_far_out_it_is()
    {
        // 1 in 30011 of all float32 between -14 and 14, so every exponent is there.
        for (var bits = 0; bits < BitConverter.SingleToInt32Bits(14); bits += 30011)
        {
            foreach (var x in new[] { BitConverter.Int32BitsToSingle(bits), -BitConverter.Int32BitsToSingle(bits) })
            {
                float[] value = [x];
                FloatKernels.Best.Gelu(value);
                var expected = x * Tail(-x);
                var smallest = 16.0 * float.Epsilon; // a step of the subnormal tail, times x
                Assert.True(Math.Abs(value[0] - expected) <= 6e-7 * Math.Abs(expected) + smallest, $"GELU({x}) is {value[0]} instead of {expected}");
            }
        }
    }

    [Fact]
    public void Gelu_ends_where_the_normal_distribution_does()
    {
        float[] values = [0, 17, -17, 1e30f, -1e30f, float.MaxValue, float.MinValue];
        FloatKernels.Best.Gelu(values);

        Assert.Equal([0, 17, 0, 1e30f, 0, float.MaxValue, 0], values.Select(value => value + 0f));
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(100f)]
    [InlineData(-3000f)]
    public void LayerNorm_agrees_with_float64_wherever_the_values_lie(float offset)
    {
        foreach (var length in FloatKernelsDigest.Lengths.Where(length => length > 1))
        {
            var random = new Random(length);
            var (x, gain, bias) = (Values(offset), Values(1), Values(0));
            var y = new float[length];
            FloatKernels.Best.LayerNorm(x, gain, bias, 1e-12f, y);

            var mean = x.Average(value => (double)value);
            var deviation = Math.Sqrt(x.Average(value => (value - mean) * (value - mean)) + 1e-12);
            for (var i = 0; i < length; i++)
            {
                // The rounding of the mean, and of the values themselves, is what an offset costs.
                Assert.Equal((x[i] - mean) / deviation * gain[i] + bias[i], y[i], 2e-6 * (1 + Math.Abs(offset)));
            }

            float[] Values(float centre) => [.. Enumerable.Range(0, length).Select(_ => centre + random.NextSingle() * 2 - 1)];
        }
    }

    [Fact]
    public void LayerNorm_of_equal_values_is_the_bias()
    {
        float[] values = [.. Enumerable.Repeat(0.75f, 64)];
        FloatKernels.Best.LayerNorm(values, [.. Enumerable.Repeat(3f, 64)], [.. Enumerable.Repeat(-2f, 64)], 1e-12f, values);

        Assert.All(values, value => Assert.Equal(-2f, value));
    }

    [Fact]
    public void Tanh_is_accurate_from_the_smallest_to_the_largest_number()
    {
        for (var x = 1e-300; x < 1e300; x *= 1.7)
        {
            Assert.Equal(Math.Tanh(x), DoubleMath.Tanh(x), 1e-13 * Math.Tanh(x));
            Assert.Equal(-DoubleMath.Tanh(x), DoubleMath.Tanh(-x));
        }

        for (var x = 0.0001; x < 20; x += 0.0007)
        {
            Assert.Equal(Math.Tanh(x), DoubleMath.Tanh(x), 1e-13 * Math.Tanh(x));
        }

        Assert.Equal(0, DoubleMath.Tanh(0));
        Assert.True(double.IsNaN(DoubleMath.Tanh(double.NaN)));
    }

    /// <summary>The normal distribution above a, in float64: the power series near 0, and far out the continued fraction of erfc (Abramowitz and Stegun 7.1.6, 7.1.14).</summary>
    private static double Tail(double a)
    {
        var z = Math.Abs(a) / Math.Sqrt(2);
        double upper;
        if (z < 2)
        {
            var (term, sum) = (z, z);
            for (var n = 1; n < 100; n++)
            {
                term *= 2 * z * z / (2 * n + 1);
                sum += term;
            }

            upper = 0.5 - sum * Math.Exp(-z * z) / Math.Sqrt(Math.PI);
        }
        else
        {
            var fraction = z;
            for (var n = 200; n > 0; n--)
            {
                fraction = z + n / 2.0 / fraction;
            }

            upper = Math.Exp(-z * z) / Math.Sqrt(Math.PI) / fraction / 2;
        }

        return a < 0 ? 1 - upper : upper;
    }
}
