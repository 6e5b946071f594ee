using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Kernels;

public sealed class FloatKernelsTests
{
    public static TheoryData<int> Widths { get; } = new(FloatKernels.Widths.Select(kernels => kernels.Width));

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_width_gives_the_bits_of_one_element_at_a_time(int width)
    {
        var kernels = FloatKernels.Widths.Single(candidate => candidate.Width == width);

        Assert.Equal(BitResults.Hash(new FloatKernelsDigest(FloatKernels.Widths[^1])), BitResults.Hash(new FloatKernelsDigest(kernels)));
    }

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task A_processor_without_wide_registers_gives_the_same_bits(VectorWidth width)
    {
        var hashes = await VectorWidthProcesses.HashAsync(width, typeof(FloatKernelsDigest));

        Assert.Equal([BitResults.Hash(new FloatKernelsDigest())], hashes);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Reductions_use_32_lanes_and_the_tree(int width)
    {
        var kernels = FloatKernels.Widths.Single(candidate => candidate.Width == width);
        foreach (var length in FloatKernelsDigest.Lengths)
        {
            var second = AdversarialFloats.All(length, seed: 1).First().Values;
            foreach (var (kind, values) in AdversarialFloats.All(length, seed: 2))
            {
                Assert.True(SameBits(PlainFloatMath.Dot(values, second), kernels.Dot(values, second)), $"dot of {length} {kind}");
                Assert.True(SameBits(PlainFloatMath.Sum(values), kernels.Sum(values)), $"sum of {length} {kind}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public unsafe void Products_of_any_tile_have_the_bits_of_a_dot_product(int width)
    {
        var kernels = FloatKernels.Widths.Single(candidate => candidate.Width == width);
        foreach (var (rows, outputs, inputs) in new[] { (1, 1, 1), (1, 9, 64), (4, 2, 65), (7, 5, 100), (8, 16, 31) })
        {
            var weights = AdversarialFloats.All(outputs * inputs, seed: 3).First().Values;
            var x = AdversarialFloats.All(rows * inputs, seed: 4).First().Values;
            var y = new float[rows * (outputs + 1)];
            fixed (float* w = weights, source = x, destination = y)
            {
                kernels.Products(w, null, outputs, inputs, source, rows, destination, outputs + 1);
            }

            for (var row = 0; row < rows; row++)
            {
                for (var output = 0; output < outputs; output++)
                {
                    var expected = PlainFloatMath.Dot(x.AsSpan(row * inputs, inputs), weights.AsSpan(output * inputs, inputs));
                    Assert.True(SameBits(expected, y[row * (outputs + 1) + output]), $"{rows} x {outputs} x {inputs} at {row}, {output}");
                }

                Assert.Equal(0, y[row * (outputs + 1) + outputs]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public unsafe void Scores_have_the_bits_of_a_dot_product_and_weighing_goes_by_position(int width)
    {
        const int Page = FloatKernels.PagePositions;
        var kernels = FloatKernels.Widths.Single(candidate => candidate.Width == width);
        foreach (var headSize in new[] { 2, 4, 10, 16, 26, 32, 34, 64, 66, 100, 128 })
        {
            var query = AdversarialFloats.All(headSize, seed: 5).First().Values;
            var rows = AdversarialFloats.All(headSize * Page, seed: 6).First().Values; // [position, head size]
            var columns = new float[headSize * Page]; // [head size, position]
            for (var i = 0; i < rows.Length; i++)
            {
                columns[i % headSize * Page + i / headSize] = rows[i];
            }

            var (scores, output, expected) = (new float[Page], new float[headSize], new float[headSize]);
            fixed (float* q = query, c = columns, r = rows, s = scores, o = output)
            {
                kernels.Scores(q, c, headSize, 3, 60, 0.7f, s);
                kernels.Weigh(s, r, headSize, 3, 60, o);
            }

            for (var position = 3; position < 60; position++)
            {
                var row = rows.AsSpan(position * headSize, headSize);
                Assert.True(SameBits(PlainFloatMath.Dot(query, row) * 0.7f, scores[position]), $"head of {headSize}, position {position}");
                for (var i = 0; i < headSize; i++)
                {
                    expected[i] = MathF.FusedMultiplyAdd(scores[position], row[i], expected[i]);
                }
            }

            Assert.Equal(expected, output);
        }
    }

    [Fact]
    public void The_exponential_is_right_to_one_unit_in_the_last_place()
    {
        var worst = 0.0;
        var x = new float[1 << 16];
        for (var start = -104.0; start < 88.7; start += 24.1)
        {
            for (var i = 0; i < x.Length; i++)
            {
                x[i] = (float)(start + 24.1 * i / x.Length);
            }

            var y = x.ToArray();
            FloatKernels.Best.ExpShifted(y, 0);
            for (var i = 0; i < x.Length; i++)
            {
                var expected = Math.Exp(x[i]);
                if (expected <= float.MaxValue)
                {
                    var unit = Math.Max(Math.ScaleB(1, Math.ILogB(expected) - 23), float.Epsilon);
                    worst = Math.Max(worst, Math.Abs(y[i] - expected) / unit);
                }
            }
        }

        Assert.True(worst < 1, $"Off by {worst} units.");
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-104f, 0f)]
    [InlineData(-1e30f, 0f)]
    [InlineData(float.MinValue, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(-103.9f, float.Epsilon)]
    [InlineData(88.8f, float.PositiveInfinity)]
    [InlineData(float.MaxValue, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void The_exponential_has_the_right_limits(float x, float expected)
    {
        foreach (var kernels in FloatKernels.Widths)
        {
            var values = Enumerable.Repeat(x, 17).ToArray();
            kernels.ExpShifted(values, 0);
            Assert.All(values, value => Assert.Equal(expected, value));
        }
    }

    [Fact]
    public void A_softmax_of_anything_finite_adds_up_to_one()
    {
        foreach (var (kind, values) in AdversarialFloats.All(300, seed: 7))
        {
            FloatKernels.Best.Softmax(values);
            Assert.True(Math.Abs(values.Sum(value => (double)value) - 1) < 1e-5, kind);
        }
    }

    [Fact]
    public void SwiGlu_and_the_norm_follow_their_formulas()
    {
        var x = AdversarialFloats.All(100, seed: 8).Single(kind => kind.Kind == "scores").Values;
        var y = AdversarialFloats.All(100, seed: 9).First().Values;
        var (gated, normed) = (x.ToArray(), new float[100]);
        FloatKernels.Best.SwiGlu(gated, y);
        FloatKernels.Best.RmsNorm(x, y, 1e-5f, normed);
        var scale = 1 / Math.Sqrt(x.Sum(value => (double)value * value) / 100 + 1e-5);
        for (var i = 0; i < x.Length; i++)
        {
            Assert.Equal(x[i] / (1 + Math.Exp(-x[i])) * y[i], gated[i], 1e-6 * Math.Max(1, Math.Abs(x[i])));
            Assert.Equal(x[i] * scale * y[i], normed[i], 1e-6);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void One_value_that_is_not_finite_is_found_anywhere(float bad)
    {
        foreach (var kernels in FloatKernels.Widths)
        {
            for (var at = 0; at < 37; at++)
            {
                var values = new float[37];
                Array.Fill(values, float.MaxValue);
                Assert.True(kernels.IsFinite(values));
                values[at] = bad;
                Assert.False(kernels.IsFinite(values));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public unsafe void Some_queries_at_once_have_the_bits_of_each_alone(int width)
    {
        const int Page = FloatKernels.PagePositions;
        var kernels = FloatKernels.Widths.Single(candidate => candidate.Width == width);
        foreach (var (count, headSize) in new[] { (1, 64), (2, 2), (2, 10), (2, 64), (3, 16), (3, 26), (3, 64), (4, 34), (5, 64), (6, 66), (7, 100), (8, 128) })
        {
            var (queryStride, scoreStride) = (headSize + 3, Page + 5);
            var page = AdversarialFloats.All(headSize * Page, seed: 6).First().Values;
            var queries = AdversarialFloats.All(count * queryStride, seed: 5).First().Values;
            foreach (var (from, to) in new[] { (0, Page), (3, 60), (7, 8), (40, 64), (0, 33) })
            {
                var (scores, alone) = (new float[count * scoreStride], new float[count * scoreStride]);
                var (outputs, outputsAlone) = (new float[count * queryStride], new float[count * queryStride]);
                fixed (float* p = page, q = queries, s = scores, a = alone, o = outputs, oa = outputsAlone)
                {
                    kernels.Scores(q, count, queryStride, p, headSize, from, to, 0.7f, s, scoreStride);
                    kernels.Weigh(s, count, scoreStride, p, headSize, from, to, o, queryStride);
                    for (var i = 0; i < count; i++)
                    {
                        kernels.Scores(q + i * queryStride, p, headSize, from, to, 0.7f, a + i * scoreStride);
                        kernels.Weigh(a + i * scoreStride, p, headSize, from, to, oa + i * queryStride);
                    }
                }

                for (var i = 0; i < count; i++)
                {
                    var wanted = (i * scoreStride + from)..(i * scoreStride + to);
                    Assert.All(alone[wanted].Zip(scores[wanted]), pair => Assert.True(SameBits(pair.First, pair.Second)));
                    Assert.All(scores[(i * scoreStride + Page)..((i + 1) * scoreStride)], rest => Assert.Equal(0, rest));
                }

                Assert.All(outputsAlone.Zip(outputs), pair => Assert.True(SameBits(pair.First, pair.Second)));
            }
        }
    }

    private static bool SameBits(float expected, float actual) =>
        BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(actual) || (float.IsNaN(expected) && float.IsNaN(actual));
}
