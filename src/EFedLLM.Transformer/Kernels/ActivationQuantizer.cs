using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// Quantises activations to 16 bits, symmetric, with a scale per group. For a group of values x, with the exact
/// m = max |x|:
/// <list type="bullet">
/// <item>scale = m / 32767, one correctly rounded float32 division;</item>
/// <item>q = x / scale, one correctly rounded division, rounded to the nearest integer, ties to the even one. The error
/// of the two divisions is too small to lead beyond 32767, whatever m is, so nothing is clamped;</item>
/// <item>where the scale would be subnormal (m below about 2^-111, zero included), scale and q are 0: such values are
/// beyond what a model can mean, and a subnormal scale has too few digits;</item>
/// <item>where m is not finite, the scale is the quiet NaN 0x7FC00000 and q is 0, so that the defect is passed on.</item>
/// </list>
/// Inputs beyond the width of the row count as zeros. Each value takes the same operations at every vector width.
/// </summary>
internal static unsafe class ActivationQuantizer
{
    /// <summary>The largest magnitude of a quantised activation.</summary>
    public const int Maximum = 32767;

    /// <summary>The least normal float32, 2^-126.</summary>
    private const float LeastScale = 1.17549435e-38f;

    private const int LargestGroup = 64;
    private const int InfinityBits = 0x7F800000;
    private const int MagnitudeBits = int.MaxValue;

    /// <summary>The quiet NaN that stands for every NaN, because processors differ in the ones they make.</summary>
    public static float NotANumber => BitConverter.Int32BitsToSingle(0x7FC00000);

    /// <summary>Quantises one row.</summary>
    /// <param name="x">[inputs].</param>
    /// <param name="inputs">Width of the row.</param>
    /// <param name="group">Values that share a scale, 32 or 64.</param>
    /// <param name="q">[inputs rounded up to whole groups], overwritten.</param>
    /// <param name="scales">[groups], overwritten.</param>
    /// <param name="sums">[groups], overwritten with the sums of q.</param>
    [SkipLocalsInit]
    public static void Quantise(float* x, int inputs, int group, short* q, float* scales, int* sums)
    {
        var whole = inputs / group;
        for (var i = 0; i < whole; i++)
        {
            scales[i] = QuantiseGroup(x + i * group, group, q + i * group, out sums[i]);
        }

        var rest = inputs - whole * group;
        if (rest > 0)
        {
            var last = stackalloc float[LargestGroup];
            new ReadOnlySpan<float>(x + whole * group, rest).CopyTo(new Span<float>(last, group));
            new Span<float>(last + rest, group - rest).Clear();
            scales[whole] = QuantiseGroup(last, group, q + whole * group, out sums[whole]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float QuantiseGroup(float* x, int group, short* q, out int sum)
    {
        var largest = LargestMagnitude(x, group);
        var scale = BitConverter.Int32BitsToSingle(largest) / Maximum;
        if (largest >= InfinityBits || scale < LeastScale)
        {
            new Span<short>(q, group).Clear();
            sum = 0;
            return largest >= InfinityBits ? NotANumber : 0;
        }

        var divisor = Vector256.Create(scale);
        var sums = Vector256<int>.Zero;
        for (var i = 0; i < group; i += Vector256<short>.Count)
        {
            var first = Vector256.ConvertToInt32Native(Vector256.Round(Vector256.Load(x + i) / divisor));
            var second = Vector256.ConvertToInt32Native(Vector256.Round(Vector256.Load(x + i + Vector256<float>.Count) / divisor));
            Vector256.Narrow(first, second).Store(q + i);
            sums += first + second;
        }

        sum = Vector256.Sum(sums);
        return scale;
    }

    /// <summary>The largest magnitude as bits, which are ordered like the magnitudes; above infinity's for a NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LargestMagnitude(float* x, int group)
    {
        var mask = Vector256.Create(MagnitudeBits);
        var largest = Vector256<int>.Zero;
        for (var i = 0; i < group; i += Vector256<int>.Count)
        {
            largest = Vector256.Max(largest, Vector256.Load((int*)x + i) & mask);
        }

        var half = Vector128.Max(largest.GetLower(), largest.GetUpper());
        var quarter = Vector128.Max(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        return Math.Max(quarter.ToScalar(), quarter.GetElement(1));
    }
}
