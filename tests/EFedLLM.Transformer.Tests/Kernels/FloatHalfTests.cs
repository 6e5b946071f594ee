using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Kernels;

public sealed unsafe class FloatHalfTests
{
    private const float Largest = 65504;

    public static TheoryData<int> Widths { get; } = new(FloatKernels.Widths.Select(kernels => kernels.Width));

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_finite_half_widens_to_what_it_is(int width)
    {
        Half[] halves = [.. Finite()];
        var wide = new float[halves.Length];
        fixed (Half* source = halves)
        {
            fixed (float* target = wide)
            {
                Kernels(width).Widen(source, 1, halves.Length, halves.Length, target);
            }
        }

        for (var i = 0; i < halves.Length; i++)
        {
            Assert.Equal(BitConverter.SingleToInt32Bits((float)halves[i]), BitConverter.SingleToInt32Bits(wide[i]));
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_number_goes_to_the_nearest_half_and_one_between_two_to_the_even_one(int width)
    {
        var numbers = new List<float>();
        foreach (var half in Finite())
        {
            // The half itself, the middle between it and the next, and what lies beside both.
            var value = (float)half;
            var middle = (value + (float)Half.BitIncrement(half)) / 2;
            numbers.AddRange([value, MathF.BitIncrement(value), MathF.BitDecrement(value), middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle)]);
        }

        for (var kind = 0; kind < 10; kind++)
        {
            numbers.AddRange(AdversarialFloats.All(1000, seed: kind).ElementAt(kind).Values);
        }

        float[] x = [.. numbers.Where(float.IsFinite)];
        var y = new Half[x.Length];

        Kernels(width).Narrow(x, y);

        for (var i = 0; i < x.Length; i++)
        {
            var expected = (Half)Math.Clamp(x[i], -Largest, Largest);
            Assert.True(BitConverter.HalfToUInt16Bits(expected) == BitConverter.HalfToUInt16Bits(y[i]), $"{x[i]:R} became {y[i]} instead of {expected}.");
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void No_number_becomes_infinite(int width)
    {
        float[] x = [65519, 65520, 65536, 1e30f, float.MaxValue, float.PositiveInfinity, -65520, -1e38f, float.MinValue, float.NegativeInfinity, float.NaN];
        var y = new Half[x.Length];

        Kernels(width).Narrow(x, y);

        Assert.All(y[..6], half => Assert.Equal(Half.MaxValue, half));
        Assert.All(y[6..10], half => Assert.Equal(Half.MinValue, half));
        Assert.True(Half.IsFinite(y[10]));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void What_lies_between_the_rows_that_are_widened_stays(int width)
    {
        const int Stride = 64;
        Half[] halves = [.. Enumerable.Range(0, 5 * Stride).Select(i => (Half)(i + 1))];
        foreach (var (rows, values) in new[] { (5, Stride), (5, 48), (4, 16), (3, 7), (1, 1), (2, 37) })
        {
            var wide = new float[halves.Length];
            fixed (Half* source = halves)
            {
                fixed (float* target = wide)
                {
                    Kernels(width).Widen(source, rows, values, Stride, target);
                }
            }

            Assert.Equal(halves.Select((half, i) => i / Stride < rows && i % Stride < values ? (float)half : 0), wide);
        }
    }

    private static FloatKernels Kernels(int width) => FloatKernels.Widths.Single(candidate => candidate.Width == width);

    private static IEnumerable<Half> Finite() => Enumerable.Range(0, 1 << 16).Select(bits => BitConverter.UInt16BitsToHalf((ushort)bits)).Where(Half.IsFinite);
}
