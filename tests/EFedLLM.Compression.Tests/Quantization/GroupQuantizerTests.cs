using EFedLLM.Compression.Quantization;

namespace EFedLLM.Compression.Tests.Quantization;

public sealed class GroupQuantizerTests
{
    public static TheoryData<int, int, int> Sizes => new()
    {
        { 1, 1, 32 }, { 3, 31, 32 }, { 17, 32, 32 }, { 16, 33, 32 }, { 5, 64, 64 }, { 40, 100, 64 }, { 33, 200, 32 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void A_plain_loop_over_single_numbers_finds_the_same_scales_and_integers(int outputs, int inputs, int group)
    {
        var weights = Gaussian(outputs * inputs, seed: outputs * 1000 + inputs);
        var matrix = GroupQuantizer.Quantize(weights, outputs, inputs, group);
        for (var row = 0; row < outputs; row++)
        {
            for (var g = 0; g < matrix.Groups; g++)
            {
                var values = weights.AsSpan(row * inputs, inputs)[(g * group)..Math.Min((g + 1) * group, inputs)].ToArray();
                var (scale, expected) = Plain(values);
                Assert.Equal(scale, matrix.Scales[row * matrix.Groups + g]);
                var actual = matrix.Weights.AsSpan(row * matrix.PaddedInputs + g * group, group);
                Assert.Equal(expected, actual[..values.Length].ToArray());
                Assert.False(actual[values.Length..].ContainsAnyExcept((sbyte)0));
            }
        }
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void The_error_is_below_that_of_the_plain_scale(int group)
    {
        const int Outputs = 256, Inputs = 512;
        var weights = Gaussian(Outputs * Inputs, seed: 7);
        var matrix = GroupQuantizer.Quantize(weights, Outputs, Inputs, group);
        var searched = SquaredError(weights, matrix.Dequantize());
        var plain = 0.0;
        for (var from = 0; from < weights.Length; from += group)
        {
            var values = weights.AsSpan(from, group).ToArray();
            var scale = Widen(Nearest(values.Max(MathF.Abs) / 127));
            plain += values.Sum(value => Math.Pow(value - scale * Math.Clamp(MathF.Round(value / scale), -127, 127), 2));
        }

        Assert.InRange(searched / plain, 0.5, 0.9);
    }

    [Fact]
    public void Ties_are_rounded_to_even()
    {
        var weights = new float[32];
        (weights[0], weights[1], weights[2], weights[3], weights[4]) = (127, 0.5f, 1.5f, 2.5f, -2.5f);
        for (var i = 5; i < weights.Length; i++)
        {
            weights[i] = 90 + i;
        }

        var matrix = GroupQuantizer.Quantize(weights, 1, 32, 32);
        // Any other scale than 1 would miss the whole numbers by more than it gains on the halves.
        Assert.Equal(0x3F80, matrix.Scales[0]);
        Assert.Equal([127, 0, 2, 2, -2], matrix.Weights[..5]);
    }

    [Fact]
    public void A_group_of_zeros_stays_zero()
    {
        var matrix = GroupQuantizer.Quantize(new float[96], 1, 96, 32);
        Assert.All(matrix.Scales, scale => Assert.Equal(0, scale));
        Assert.All(matrix.Weights, weight => Assert.Equal(0, weight));
    }

    [Theory]
    [InlineData(float.Epsilon)]
    [InlineData(1e-40f)]
    [InlineData(1.17549435e-38f)]
    [InlineData(1e-20f)]
    [InlineData(1e30f)]
    [InlineData(float.MaxValue)]
    public void Extreme_magnitudes_keep_within_half_a_step_or_the_least_step(float magnitude)
    {
        var weights = new float[64];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = magnitude * (i % 2 == 0 ? 1 : -1) * ((i + 1) / 64f);
        }

        var matrix = GroupQuantizer.Quantize(weights, 1, 64, 64);
        var scale = Widen(matrix.Scales[0]);
        Assert.True(float.IsFinite(scale) && scale > 0);
        var values = matrix.Dequantize();
        // Scales are searched from one step of bfloat16 below: the largest weight may be cut by that.
        var bound = Math.Max(scale * 0.5 + Math.Abs(magnitude) / 128.0, 9.2e-41);
        for (var i = 0; i < weights.Length; i++)
        {
            Assert.True(float.IsFinite(values[i]));
            Assert.InRange(Math.Abs((double)weights[i] - values[i]), 0, bound);
        }
    }

    [Fact]
    public void The_number_of_threads_changes_nothing()
    {
        var weights = Gaussian(333 * 96, seed: 5);
        var (one, many) = (GroupQuantizer.Quantize(weights, 333, 96, 32), GroupQuantizer.Quantize(weights, 333, 96, 32, threads: 7));
        Assert.Equal(one.Weights, many.Weights);
        Assert.Equal(one.Scales, many.Scales);
    }

    [Fact]
    public void Dimensions_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => GroupQuantizer.Quantize(new float[10], 3, 4, 32));
        Assert.Throws<ArgumentOutOfRangeException>(() => GroupQuantizer.Quantize(new float[12], 3, 4, 16));
        Assert.Throws<ArgumentOutOfRangeException>(() => GroupQuantizer.Quantize(Array.Empty<float>(), 0, 4, 32));
    }

    internal static float[] Gaussian(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    private static double SquaredError(float[] expected, float[] actual) => expected.Zip(actual, (a, b) => Math.Pow((double)a - b, 2)).Sum();

    private static (ushort Scale, sbyte[] Weights) Plain(float[] values)
    {
        var centre = Nearest(values.Max(MathF.Abs) / 127);
        var (best, least) = (centre, double.PositiveInfinity);
        for (var bits = centre - 1; bits <= centre + 6; bits++)
        {
            var error = values.Sum(value => Math.Pow(value / Widen(bits) - Quantize(value, bits), 2)) * Math.Pow(Widen(bits), 2);
            // Float sums err by some 1e-7: a difference that small decides nothing that matters, but must not fail the test.
            if (error < least * (1 - 1e-6))
            {
                (best, least) = (bits, error);
            }
        }

        return ((ushort)best, [.. values.Select(value => Quantize(value, best))]);
    }

    private static sbyte Quantize(float value, int bits) => (sbyte)Math.Clamp(MathF.Round(value / Widen(bits)), -127, 127);

    private static int Nearest(float value)
    {
        var lower = (int)(BitConverter.SingleToUInt32Bits(value) >> 16);
        var (below, above) = (value - Widen(lower), Widen(lower + 1) - value);
        return below < above || (below == above && lower % 2 == 0) ? lower : lower + 1;
    }

    private static float Widen(int bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
