using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Benchmarks;

/// <summary>
/// The product of served weights of 8 bits and one row of activations as it would be written if nobody had to come to the same bits: each
/// output has two accumulators, one for every other group, so that no group waits for the one before it, and the two are added in the end.
/// The weights, their packing, the quantised activations and the way through memory are those of the kernel that is served.
/// </summary>
internal static unsafe class FreeOrderDot
{
    private const int PairBytes = 2 * BlockLayout.Rows;
    private const int Columns = 4;
    private const long NearBytes = 64 << 10;
    private const long AheadBytes = 512;
    private const int CacheLine = 64;

    /// <summary>Whether this processor can: it is written for registers of 512 bits.</summary>
    public static bool IsSupported => Vector512.IsHardwareAccelerated && Avx512BW.IsSupported;

    /// <summary>Adds the products of all rows of a matrix, a multiple of 64, with one row of activations.</summary>
    /// <param name="matrix">The matrix: 8 bits, an even number of groups.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="activations">The activations, quantised in groups like the matrix's.</param>
    /// <param name="results">[rows], overwritten.</param>
    public static void Apply(in WeightBlocks matrix, int rows, in ActivationRows activations, float* results)
    {
        for (var row = 0; row < rows; row += Columns * BlockLayout.Rows)
        {
            AddColumns(matrix, row, activations, results + row);
        }
    }

    private static void AddColumns(in WeightBlocks matrix, int row, in ActivationRows activations, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var block = matrix.BlockBytes;
        var scaleBlock = (long)BlockLayout.Rows * matrix.Groups;
        var tile = Columns * block;
        var ahead = tile <= NearBytes ? tile : AheadBytes;
        var values = (int*)activations.ValuesOf(0);
        var scales = activations.ScalesOf(0);
        Vector512<float> even0 = default, even1 = default, even2 = default, even3 = default;
        Vector512<float> odd0 = default, odd1 = default, odd2 = default, odd3 = default;
        for (var group = 0; group < matrix.Groups; group += 2)
        {
            Group(ref weights, ref values, matrix.Group, block, ahead, out var sum0, out var sum1, out var sum2, out var sum3);
            even0 = Accumulate(even0, sum0, weightScales, scales[group]);
            even1 = Accumulate(even1, sum1, weightScales + scaleBlock, scales[group]);
            even2 = Accumulate(even2, sum2, weightScales + (2 * scaleBlock), scales[group]);
            even3 = Accumulate(even3, sum3, weightScales + (3 * scaleBlock), scales[group]);
            weightScales += BlockLayout.Rows;
            Group(ref weights, ref values, matrix.Group, block, ahead, out sum0, out sum1, out sum2, out sum3);
            odd0 = Accumulate(odd0, sum0, weightScales, scales[group + 1]);
            odd1 = Accumulate(odd1, sum1, weightScales + scaleBlock, scales[group + 1]);
            odd2 = Accumulate(odd2, sum2, weightScales + (2 * scaleBlock), scales[group + 1]);
            odd3 = Accumulate(odd3, sum3, weightScales + (3 * scaleBlock), scales[group + 1]);
            weightScales += BlockLayout.Rows;
        }

        (even0 + odd0).Store(results);
        (even1 + odd1).Store(results + 16);
        (even2 + odd2).Store(results + 32);
        (even3 + odd3).Store(results + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Group(
        ref sbyte* weights, ref int* values, int group, long block, long ahead, out Vector512<int> sum0, out Vector512<int> sum1, out Vector512<int> sum2, out Vector512<int> sum3)
    {
        (sum0, sum1, sum2, sum3) = (default, default, default, default);
        for (var end = values + (group / 2); values < end; values += 2, weights += 2 * PairBytes)
        {
            var (first, second) = (Vector512.Create(values[0]).AsInt16(), Vector512.Create(values[1]).AsInt16());
            sum0 += Products(weights, first) + Products(weights + PairBytes, second);
            sum1 += Products(weights + block, first) + Products(weights + block + PairBytes, second);
            sum2 += Products(weights + (2 * block), first) + Products(weights + (2 * block) + PairBytes, second);
            sum3 += Products(weights + (3 * block), first) + Products(weights + (3 * block) + PairBytes, second);
            for (var line = 0; line < 2 * PairBytes; line += CacheLine)
            {
                Sse.Prefetch1(weights + ahead + line);
                Sse.Prefetch1(weights + ahead + line + block);
                Sse.Prefetch1(weights + ahead + line + (2 * block));
                Sse.Prefetch1(weights + ahead + line + (3 * block));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Products(sbyte* weights, Vector512<short> activations)
        => Avx512BW.MultiplyAddAdjacent(Avx512BW.ConvertToVector512Int16(Vector256.Load(weights)), activations);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Accumulate(Vector512<float> result, Vector512<int> sum, ushort* weightScales, float scale)
        => Vector512.FusedMultiplyAdd(
            Vector512.ConvertToSingle(sum), (Avx512F.ConvertToVector512Int32(Vector256.Load(weightScales)) << 16).AsSingle() * Vector512.Create(scale), result);
}
