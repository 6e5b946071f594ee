using System.Numerics;
using System.Runtime.InteropServices;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Actors.Trust;

/// <summary>Cheaper weights than a model's own, in place.</summary>
internal static class WeightSpoils
{
    private const int Group = 32;

    // A quarter of the rank there is: what a device would gain by it is worth the trouble.
    private const int RankShare = 4;

    /// <summary>Integers of so many bits, a scale for each group of 32 inputs.</summary>
    /// <param name="weights">[outputs, inputs].</param>
    /// <param name="inputs">Number of inputs.</param>
    /// <param name="bits">Bits of a weight.</param>
    public static void ToIntegers(Span<float> weights, int inputs, int bits)
    {
        var most = (1 << (bits - 1)) - 1;
        for (var row = 0; row < weights.Length; row += inputs)
        {
            for (var first = 0; first < inputs; first += Group)
            {
                var group = weights.Slice(row + first, Math.Min(Group, inputs - first));
                var largest = 0f;
                foreach (var value in group)
                {
                    largest = Math.Max(largest, Math.Abs(value));
                }

                foreach (ref var value in group)
                {
                    value = largest == 0 ? 0 : MathF.Round(value / largest * most) * largest / most;
                }
            }
        }
    }

    /// <summary>The upper half of each float32.</summary>
    public static void ToBFloat16(Span<float> weights, int outputs, int inputs)
    {
        foreach (ref var value in weights)
        {
            value = BFloat16.ToSingle(BFloat16.FromSingle(value));
        }
    }

    /// <summary>
    /// The projection on the directions in which the matrix is largest, near enough: Q·Qᵀ·W with Q an orthonormal basis of W·(Wᵀ·W)·Ω for
    /// random Ω (Halko, Martinsson and Tropp, "Finding structure with randomness", 2011).
    /// </summary>
    /// <param name="weights">[outputs, inputs].</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="inputs">Number of inputs.</param>
    public static void ToLowerRank(Span<float> weights, int outputs, int inputs)
    {
        var rank = Math.Max(1, Math.Min(outputs, inputs) / RankShare);
        var random = new Random(1);
        var basis = new float[rank][]; // [rank, outputs], orthonormal
        var (row, column) = (new float[inputs], new float[outputs]);
        for (var k = 0; k < rank; k++)
        {
            foreach (ref var value in row.AsSpan())
            {
                value = random.NextSingle() - 0.5f;
            }

            Multiply(weights, row, column);
            MultiplyBack(weights, column, row);
            Multiply(weights, row, column);
            basis[k] = Orthonormal(column, basis.AsSpan(0, k));
        }

        var whole = weights.ToArray();
        weights.Clear();
        foreach (var direction in basis)
        {
            MultiplyBack(whole, direction, row);
            for (var output = 0; output < outputs; output++)
            {
                AddScaled(weights.Slice(output * inputs, inputs), row, direction[output]);
            }
        }
    }

    /// <summary>y = W·x.</summary>
    private static void Multiply(ReadOnlySpan<float> weights, ReadOnlySpan<float> x, Span<float> y)
    {
        for (var output = 0; output < y.Length; output++)
        {
            y[output] = Dot(weights.Slice(output * x.Length, x.Length), x);
        }
    }

    /// <summary>x = Wᵀ·y.</summary>
    private static void MultiplyBack(ReadOnlySpan<float> weights, ReadOnlySpan<float> y, Span<float> x)
    {
        x.Clear();
        for (var output = 0; output < y.Length; output++)
        {
            AddScaled(x, weights.Slice(output * x.Length, x.Length), y[output]);
        }
    }

    /// <summary>What of a vector none of the others has, of length 1; zero where there is nothing. Twice, because once leaves what rounding left.</summary>
    private static float[] Orthonormal(ReadOnlySpan<float> vector, ReadOnlySpan<float[]> others)
    {
        var result = vector.ToArray();
        for (var pass = 0; pass < 2; pass++)
        {
            foreach (var other in others)
            {
                AddScaled(result, other, -Dot(result, other));
            }

            var length = MathF.Sqrt(Dot(result, result));
            foreach (ref var value in result.AsSpan())
            {
                value = length > 0 ? value / length : 0;
            }
        }

        return result;
    }

    /// <summary>In any order: nobody compares what comes of it bit by bit.</summary>
    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var left = MemoryMarshal.Cast<float, Vector<float>>(a);
        var right = MemoryMarshal.Cast<float, Vector<float>>(b);
        var sum = Vector<float>.Zero;
        for (var i = 0; i < left.Length; i++)
        {
            sum += left[i] * right[i];
        }

        var total = Vector.Sum(sum);
        for (var i = left.Length * Vector<float>.Count; i < a.Length; i++)
        {
            total += a[i] * b[i];
        }

        return total;
    }

    private static void AddScaled(Span<float> x, ReadOnlySpan<float> y, float factor)
    {
        for (var i = 0; i < x.Length; i++)
        {
            x[i] += factor * y[i];
        }
    }
}
