using EFedLLM.Compression.Calibration;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Tests.Quantization;

public sealed class GptqRounderTests
{
    private const double Damping = 0.01;

    [Theory]
    [InlineData(8, 32, 5, 40)]
    [InlineData(6, 32, 70, 96)]
    [InlineData(5, 64, 9, 200)]
    [InlineData(4, 32, 17, 300)]
    [InlineData(4, 64, 8, 33)]
    public void It_rounds_as_the_published_method_does_weight_by_weight(int bits, int group, int outputs, int inputs)
    {
        var (weights, moment) = (GroupQuantizerTests.Gaussian(outputs * inputs, seed: bits), Moments.Skewed(inputs, seed: group));
        var rounded = Round(weights, outputs, inputs, new GroupForm(bits, group), moment);
        Assert.Equal((bits, group, outputs, inputs), (rounded.Bits, rounded.Group, rounded.Outputs, rounded.Inputs));
        var inverse = Inverse(Damped(moment, inputs), inputs);
        for (var row = 0; row < outputs; row++)
        {
            var scales = Enumerable.Range(0, rounded.Groups).Select(index => (double)BFloat16.ToSingle(rounded.Scales[row * rounded.Groups + index])).ToArray();
            var expected = ByHand(weights.AsSpan(row * inputs, inputs), inverse, scales, bits, group);
            Assert.Equal(expected, rounded.Weights.AsSpan(row * rounded.PaddedInputs, inputs).ToArray());
            Assert.All(rounded.Weights.AsSpan(row * rounded.PaddedInputs)[inputs..rounded.PaddedInputs].ToArray(), weight => Assert.Equal(0, weight));
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(8)]
    public void It_changes_outputs_less_than_rounding_each_weight_to_the_nearest(int bits)
    {
        const int Outputs = 32, Inputs = 160;
        var (weights, moment) = (GroupQuantizerTests.Gaussian(Outputs * Inputs, seed: 3), Moments.Skewed(Inputs, seed: 4));
        var form = new GroupForm(bits, 32);
        var identity = new double[Inputs * Inputs];
        for (var i = 0; i < Inputs; i++)
        {
            identity[i * Inputs + i] = 1;
        }

        var (aware, plain) = (Error(Round(weights, Outputs, Inputs, form, moment)), Error(Round(weights, Outputs, Inputs, form, identity)));
        Assert.InRange(aware, 0, plain / 3);

        double Error(QuantizedMatrix rounded) => OutputError.Of(Residual.Of(weights, rounded), Outputs, moment, Inputs);
    }

    [Fact]
    public void Every_weight_lies_in_the_range_of_its_bits_and_a_bit_more_takes_away_most_of_the_error()
    {
        const int Outputs = 24, Inputs = 128;
        var (weights, moment) = (GroupQuantizerTests.Gaussian(Outputs * Inputs, seed: 8), Moments.Skewed(Inputs, seed: 9));
        var last = double.PositiveInfinity;
        foreach (var bits in new[] { 4, 5, 6 })
        {
            var rounded = Round(weights, Outputs, Inputs, new GroupForm(bits, 64), moment);
            Assert.All(rounded.Weights, weight => Assert.InRange(weight, -(1 << (bits - 1)), (1 << (bits - 1)) - 1));
            var error = OutputError.Of(Residual.Of(weights, rounded), Outputs, moment, Inputs);
            Assert.InRange(error, 0, last * 0.4);
            last = error;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void The_bits_do_not_depend_on_threads_and_rows_not_on_one_another(int threads)
    {
        const int Outputs = 150, Inputs = 200;
        var (weights, moment) = (GroupQuantizerTests.Gaussian(Outputs * Inputs, seed: 1), Moments.Skewed(Inputs, seed: 2));
        var feedback = ErrorFeedback.Of(moment, Inputs, Damping);
        var all = GptqRounder.Round(weights, Outputs, Inputs, new GroupForm(5, 32), feedback, threads);
        var one = GptqRounder.Round(weights.AsMemory(77 * Inputs, Inputs), 1, Inputs, new GroupForm(5, 32), feedback);
        Assert.Equal(one.Weights, all.Weights.AsSpan(77 * all.PaddedInputs, all.PaddedInputs).ToArray());
        Assert.Equal(one.Scales, all.Scales.AsSpan(77 * all.Groups, all.Groups).ToArray());
    }

    [Fact]
    public void A_matrix_of_zeros_and_inputs_that_never_occur_do_no_harm()
    {
        const int Outputs = 3, Inputs = 70;
        var zero = Round(new float[Outputs * Inputs], Outputs, Inputs, new GroupForm(4, 32), Moments.Skewed(Inputs, seed: 1));
        Assert.All(zero.Weights, weight => Assert.Equal(0, weight));
        var blind = Round(GroupQuantizerTests.Gaussian(Outputs * Inputs, seed: 1), Outputs, Inputs, new GroupForm(8, 32), new double[Inputs * Inputs]);
        Assert.InRange(FactoredFiles.RelativeError(GroupQuantizerTests.Gaussian(Outputs * Inputs, seed: 1), blind.Dequantize()), 0, 1e-4);
    }

    [Fact]
    public void The_error_of_a_row_is_what_its_roundings_cost()
    {
        const int Inputs = 150;
        var moment = Moments.Skewed(Inputs, seed: 6);
        var feedback = ErrorFeedback.Of(moment, Inputs, Damping);
        double[] errors = [.. GroupQuantizerTests.Gaussian(Inputs, seed: 7)];
        var sum = 0.0;
        for (var j = 0; j < Inputs; j++)
        {
            var own = errors[j];
            for (var i = 0; i < j; i++)
            {
                var (from, to) = (i / ErrorFeedback.Block, j / ErrorFeedback.Block);
                own += errors[i] * feedback.Tile(from, to)[j % ErrorFeedback.Block * feedback.WidthOf(from) + i % ErrorFeedback.Block];
            }

            sum += feedback.Weights[j] * own * own;
        }

        var expected = OutputError.Of(errors, 1, Damped(moment, Inputs), Inputs);
        Assert.Equal(expected, sum, 1e-9 * expected);
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        var feedback = ErrorFeedback.Of(Moments.Skewed(32, seed: 1), 32, Damping);
        Assert.ThrowsAny<ArgumentException>(() => GptqRounder.Round(new float[64], 2, 32, new GroupForm(7, 32), feedback));
        Assert.ThrowsAny<ArgumentException>(() => GptqRounder.Round(new float[64], 2, 32, new GroupForm(8, 48), feedback));
        Assert.ThrowsAny<ArgumentException>(() => GptqRounder.Round(new float[66], 2, 33, new GroupForm(8, 32), feedback));
        Assert.ThrowsAny<ArgumentException>(() => GptqRounder.Round(new float[63], 2, 32, new GroupForm(8, 32), feedback));
        Assert.ThrowsAny<ArgumentException>(() => ErrorFeedback.Of(new double[9], 3, 0));
        Assert.ThrowsAny<ArgumentException>(() => ErrorFeedback.Of(new double[8], 3, 1));
    }

    private static QuantizedMatrix Round(float[] weights, int outputs, int inputs, GroupForm form, double[] moment) =>
        GptqRounder.Round(weights, outputs, inputs, form, ErrorFeedback.Of(moment, inputs, Damping));

    private static double[] Damped(double[] moment, int width)
    {
        var damped = (double[])moment.Clone();
        var added = Damping * Enumerable.Range(0, width).Sum(i => moment[i * width + i]) / width;
        for (var i = 0; i < width; i++)
        {
            damped[i * width + i] += added;
        }

        return damped;
    }

    /// <summary>The method as it was published first: after each weight the others are set to their best, by the inverse of S, which then loses a row and a column.</summary>
    private static sbyte[] ByHand(ReadOnlySpan<float> row, double[] inverse, double[] scales, int bits, int group)
    {
        var (low, high) = bits == 8 ? (-127, 127) : (-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
        var n = row.Length;
        double[] weights = [.. row.ToArray()];
        var left = (double[])inverse.Clone();
        var integers = new sbyte[n];
        for (var j = 0; j < n; j++)
        {
            var scale = scales[j / group];
            integers[j] = scale == 0 ? (sbyte)0 : (sbyte)Math.Clamp(Math.Round(weights[j] * (1 / scale)), low, high);
            var error = (weights[j] - integers[j] * scale) / left[j * n + j];
            for (var k = j; k < n; k++)
            {
                weights[k] -= error * left[j * n + k];
            }

            for (var i = j + 1; i < n; i++)
            {
                for (var k = j + 1; k < n; k++)
                {
                    left[i * n + k] -= left[i * n + j] * left[j * n + k] / left[j * n + j];
                }
            }
        }

        return integers;
    }

    /// <summary>By Gauss and Jordan.</summary>
    private static double[] Inverse(double[] matrix, int n)
    {
        var (left, right) = ((double[])matrix.Clone(), new double[n * n]);
        for (var i = 0; i < n; i++)
        {
            right[i * n + i] = 1;
        }

        for (var pivot = 0; pivot < n; pivot++)
        {
            var scale = 1 / left[pivot * n + pivot];
            for (var k = 0; k < n; k++)
            {
                left[pivot * n + k] *= scale;
                right[pivot * n + k] *= scale;
            }

            for (var i = 0; i < n; i++)
            {
                var factor = i == pivot ? 0 : left[i * n + pivot];
                for (var k = 0; k < n && factor != 0; k++)
                {
                    left[i * n + k] -= factor * left[pivot * n + k];
                    right[i * n + k] -= factor * right[pivot * n + k];
                }
            }
        }

        return right;
    }
}
