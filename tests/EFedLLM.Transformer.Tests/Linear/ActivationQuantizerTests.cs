using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Linear;

public sealed unsafe class ActivationQuantizerTests
{
    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void Every_row_is_quantised_as_the_definition_says(int group)
    {
        var random = new Random(11);
        for (var trial = 0; trial < 60 * HardRows.Kinds; trial++)
        {
            var x = new float[random.Next(1, 200)];
            HardRows.Fill(x, trial % HardRows.Kinds, random);
            var (q, scales) = Quantise(x, group);
            var (expected, expectedScales) = PlainFactored.Quantise(x, group);
            Assert.Equal(expectedScales.Select(BitConverter.SingleToInt32Bits), scales.Select(BitConverter.SingleToInt32Bits));
            Assert.Equal(expected, q[..x.Length].Select(value => (int)value));
            Assert.All(q[x.Length..], value => Assert.Equal(0, value));
        }
    }

    [Fact]
    public void Any_finite_row_stays_within_range_and_within_half_a_step()
    {
        var random = new Random(12);
        var x = new float[32];
        for (var trial = 0; trial < 20_000; trial++)
        {
            HardRows.Fill(x, 8, random);
            var magnitude = BitConverter.Int32BitsToSingle(random.Next(0x7F800000));
            for (var i = 0; i < x.Length && trial % 2 == 0; i++)
            {
                x[i] = magnitude * (random.NextSingle() * 2 - 1);
            }

            var (q, scales) = Quantise(x, 32);
            Assert.True(float.IsFinite(scales[0]));
            for (var i = 0; i < x.Length; i++)
            {
                Assert.InRange(q[i], (short)-32767, (short)32767);
                Assert.True(Math.Abs(x[i] - (double)q[i] * scales[0]) <= Math.Max(0.501 * scales[0], 3.9e-34), $"{x[i]:R} became {q[i]} x {scales[0]:R}.");
            }
        }
    }

    [Fact]
    public void Ties_go_to_the_even_number()
    {
        var x = new float[32];
        (x[0], x[1], x[2], x[3], x[4], x[5]) = (32767, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f);
        var (q, scales) = Quantise(x, 32);
        Assert.Equal(1f, scales[0]);
        Assert.Equal<short>([32767, 0, 2, 2, 0, -2], q[..6]);
    }

    [Fact]
    public void Values_below_a_normal_scale_count_as_zeros()
    {
        var least = BitConverter.Int32BitsToSingle(1 << 23) * 32767;
        Assert.Equal(32767, Quantise([least], 32).Q[0]);
        var (q, scales) = Quantise([BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(least) - 2)], 32);
        Assert.Equal((0, 0f), (q[0], scales[0]));
    }

    private static (short[] Q, float[] Scales) Quantise(float[] x, int group)
    {
        var groups = (x.Length + group - 1) / group;
        var (q, scales, sums) = (new short[groups * group], new float[groups], new int[groups]);
        q.AsSpan().Fill(99);
        sums.AsSpan().Fill(99);
        fixed (float* source = x)
        fixed (short* values = q)
        fixed (float* steps = scales)
        fixed (int* totals = sums)
        {
            ActivationQuantizer.Quantise(source, x.Length, group, values, steps, totals);
        }

        Assert.Equal(q.Chunk(group).Select(own => own.Sum(value => (int)value)), sums);

        return (q, scales);
    }
}
