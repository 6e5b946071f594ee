using System.Runtime.Intrinsics;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Quantization;

/// <summary>
/// Rounds float weights to signed 8-bit integers, symmetrically, with a bfloat16 scale for each group of consecutive
/// inputs of a row. The largest magnitude of a group divided by 127, rounded to bfloat16, is where the search for its
/// scale begins: of the bfloat16 numbers from one below it to six above, the one with the least squared error is
/// taken, the smaller one where two are equal. Weights are then rounded half to even, and the few that a smaller
/// scale puts beyond are cut off at ±127. Neighbouring scales cost nearly nothing in range but round a group quite
/// differently, so that the choice among eight takes about a fifth off the squared error, for no byte.
/// A row's result depends on that row alone, and its bits neither on the number of threads nor on the vector width.
/// </summary>
public static class GroupQuantizer
{
    private const int Largest = 127;
    private const int StepsBelow = 1;
    private const int StepsAbove = 6;
    private const int Lanes = 16;
    private const int WidestGroup = 64;
    private const int RowsPerTask = 16;

    /// <summary>Quantises a matrix.</summary>
    /// <param name="weights">[outputs, inputs], row-major, finite.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="group">Columns that share a scale: 32 or 64.</param>
    /// <param name="threads">Threads that may take part; the result is the same for any number.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <exception cref="ArgumentException">The weights do not fit the dimensions.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static QuantizedMatrix Quantize(
        ReadOnlyMemory<float> weights, int outputs, int inputs, int group, int threads = 1, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        if (group is not (32 or 64))
        {
            throw new ArgumentOutOfRangeException(nameof(group), group, "Groups of 32 and 64 inputs are supported.");
        }

        if (weights.Length != (long)outputs * inputs)
        {
            throw new ArgumentException($"There are {weights.Length} weights for a matrix of {outputs} x {inputs}.", nameof(weights));
        }

        var groups = (inputs + group - 1) / group;
        var matrix = new QuantizedMatrix(outputs, inputs, group, new sbyte[(long)outputs * groups * group], new ushort[(long)outputs * groups]);
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        Parallel.For(0, (outputs + RowsPerTask - 1) / RowsPerTask, options, task =>
        {
            var end = Math.Min((task + 1) * RowsPerTask, outputs);
            for (var row = task * RowsPerTask; row < end; row++)
            {
                QuantizeRow(weights.Span.Slice(row * inputs, inputs), matrix.Weights.AsSpan(row * groups * group, groups * group), matrix.Scales.AsSpan(row * groups, groups), group);
            }
        });
        return matrix;
    }

    /// <summary>Quantises one row of a matrix.</summary>
    /// <param name="row">[inputs], finite.</param>
    /// <param name="quantized">[scales * group]; overwritten, zero beyond the inputs.</param>
    /// <param name="scales">[groups]; overwritten with bfloat16 scales.</param>
    /// <param name="group">Columns that share a scale: 32 or 64.</param>
    public static void QuantizeRow(ReadOnlySpan<float> row, Span<sbyte> quantized, Span<ushort> scales, int group)
    {
        Span<float> padded = stackalloc float[WidestGroup];
        padded = padded[..group];
        for (var index = 0; index < scales.Length; index++)
        {
            var from = index * group;
            var values = row[from..Math.Min(from + group, row.Length)];
            var integers = quantized.Slice(from, group);
            if (values.Length == group)
            {
                scales[index] = QuantizeGroup(values, integers);
                continue;
            }

            padded.Clear();
            values.CopyTo(padded);
            scales[index] = QuantizeGroup(padded, integers);
        }
    }

    private static ushort QuantizeGroup(ReadOnlySpan<float> values, Span<sbyte> quantized)
    {
        var peak = Peak(values);
        if (peak == 0)
        {
            quantized.Clear();
            return 0;
        }

        var centre = BFloat16.FromSingle(peak / Largest);
        var (best, least) = (0, double.PositiveInfinity);
        for (var bits = Math.Max(centre - StepsBelow, 1); bits <= centre + StepsAbove; bits++)
        {
            var scale = BFloat16.ToSingle((ushort)bits);
            if (!float.IsFinite(scale * Largest))
            {
                break;
            }

            var error = SquaredSteps(values, scale) * (double)scale * scale;
            if (error < least)
            {
                (best, least) = (bits, error);
            }
        }

        Round(values, BFloat16.ToSingle((ushort)best), quantized);
        return (ushort)best;
    }

    private static float Peak(ReadOnlySpan<float> values)
    {
        var peak = Vector512<float>.Zero;
        for (var i = 0; i < values.Length; i += Lanes)
        {
            peak = Vector512.Max(peak, Vector512.Abs(Vector512.Create(values[i..])));
        }

        var half = Vector256.Max(peak.GetLower(), peak.GetUpper());
        var quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
    }

    /// <summary>Sum of squared differences between weights and what they are rounded to, in steps of the scale.</summary>
    private static float SquaredSteps(ReadOnlySpan<float> values, float scale)
    {
        var sum = Vector512<float>.Zero;
        for (var i = 0; i < values.Length; i += Lanes)
        {
            var steps = Vector512.Create(values[i..]) / Vector512.Create(scale);
            var difference = steps - Clamp(Vector512.Round(steps));
            sum = Vector512.FusedMultiplyAdd(difference, difference, sum);
        }

        var half = sum.GetLower() + sum.GetUpper();
        var quarter = half.GetLower() + half.GetUpper();
        return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
    }

    private static void Round(ReadOnlySpan<float> values, float scale, Span<sbyte> quantized)
    {
        for (var i = 0; i < values.Length; i += Lanes)
        {
            var steps = Clamp(Vector512.Round(Vector512.Create(values[i..]) / Vector512.Create(scale)));
            for (var lane = 0; lane < Lanes; lane++)
            {
                quantized[i + lane] = (sbyte)steps[lane];
            }
        }
    }

    private static Vector512<float> Clamp(Vector512<float> steps) =>
        Vector512.Min(Vector512.Max(steps, Vector512.Create(-(float)Largest)), Vector512.Create((float)Largest));
}
