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
    /// <summary>Adds the products of all rows of a matrix, a multiple of 64, with one row of activations, in the widest registers.</summary>
    /// <param name="matrix">The matrix: 8 bits, an even number of groups.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="activations">The activations, quantised in groups like the matrix's.</param>
    /// <param name="results">[rows], overwritten.</param>
    /// <exception cref="PlatformNotSupportedException">The processor has no wide registers.</exception>
    public static void Apply(in WeightBlocks matrix, int rows, in ActivationRows activations, float* results)
    {
        switch (GroupDot.Best)
        {
            case KernelWidth.Bits512:
                FreeOrderDot<DotLanes512, Vector512<short>, Vector512<int>, Vector512<float>>.Apply(matrix, rows, activations, results);
                break;
            case KernelWidth.Bits256:
                FreeOrderDot<DotLanes256, Vector256<short>, Vector256<int>, Vector256<float>>.Apply(matrix, rows, activations, results);
                break;
            case KernelWidth.Bits128:
                FreeOrderDot<DotLanes128, Vector128<short>, Vector128<int>, Vector128<float>>.Apply(matrix, rows, activations, results);
                break;
            default:
                throw new PlatformNotSupportedException("There is nothing to compare with: this processor has no wide registers.");
        }
    }
}

/// <summary><see cref="FreeOrderDot"/> in registers of one width.</summary>
internal static unsafe class FreeOrderDot<TLanes, TPairs, TSums, TResults>
    where TLanes : struct, IDotLanes<TPairs, TSums, TResults>
    where TPairs : struct
    where TSums : struct
    where TResults : struct
{
    private const int PairBytes = 2 * BlockLayout.Rows;
    private const int Columns = 4;
    private const long AheadBytes = 512;

    /// <inheritdoc cref="FreeOrderDot.Apply"/>
    public static void Apply(in WeightBlocks matrix, int rows, in ActivationRows activations, float* results)
    {
        for (var row = 0; row < rows; row += Columns * TLanes.Count)
        {
            AddColumns(matrix, row, activations, results + row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddColumns(in WeightBlocks matrix, int row, in ActivationRows activations, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var block = matrix.BlockBytes;
        var tile = Columns * TLanes.Count * block / BlockLayout.Rows;
        var ahead = tile <= Blocking.Here.NearBytes ? tile : AheadBytes;
        var values = (int*)activations.ValuesOf(0);
        var scales = activations.ScalesOf(0);
        TResults even0 = default, even1 = default, even2 = default, even3 = default;
        TResults odd0 = default, odd1 = default, odd2 = default, odd3 = default;
        for (var group = 0; group < matrix.Groups; group += 2)
        {
            Group(ref weights, ref values, matrix.Group, block, ahead, out var sum0, out var sum1, out var sum2, out var sum3);
            even0 = TLanes.Accumulate(even0, sum0, TLanes.LoadScales(weightScales), TLanes.BroadcastScale(scales + group));
            even1 = TLanes.Accumulate(even1, sum1, TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups)), TLanes.BroadcastScale(scales + group));
            even2 = TLanes.Accumulate(even2, sum2, TLanes.LoadScales(weightScales + ScaleColumn(2, matrix.Groups)), TLanes.BroadcastScale(scales + group));
            even3 = TLanes.Accumulate(even3, sum3, TLanes.LoadScales(weightScales + ScaleColumn(3, matrix.Groups)), TLanes.BroadcastScale(scales + group));
            weightScales += BlockLayout.Rows;
            Group(ref weights, ref values, matrix.Group, block, ahead, out sum0, out sum1, out sum2, out sum3);
            odd0 = TLanes.Accumulate(odd0, sum0, TLanes.LoadScales(weightScales), TLanes.BroadcastScale(scales + group + 1));
            odd1 = TLanes.Accumulate(odd1, sum1, TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups)), TLanes.BroadcastScale(scales + group + 1));
            odd2 = TLanes.Accumulate(odd2, sum2, TLanes.LoadScales(weightScales + ScaleColumn(2, matrix.Groups)), TLanes.BroadcastScale(scales + group + 1));
            odd3 = TLanes.Accumulate(odd3, sum3, TLanes.LoadScales(weightScales + ScaleColumn(3, matrix.Groups)), TLanes.BroadcastScale(scales + group + 1));
            weightScales += BlockLayout.Rows;
        }

        var odd = stackalloc float[Columns * TLanes.Count];
        Store(even0, even1, even2, even3, results);
        Store(odd0, odd1, odd2, odd3, odd);
        for (var i = 0; i < Columns * TLanes.Count; i++)
        {
            results[i] += odd[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Group(ref sbyte* weights, ref int* values, int group, long block, long ahead, out TSums sum0, out TSums sum1, out TSums sum2, out TSums sum3)
    {
        (sum0, sum1, sum2, sum3) = (default, default, default, default);
        for (var end = values + (group / 2); values < end; values += 2, weights += 2 * PairBytes)
        {
            TPairs first = TLanes.Broadcast(values), second = TLanes.Broadcast(values + 1);
            sum0 = Products(sum0, weights, first, second);
            sum1 = Products(sum1, weights + Column(1, block), first, second);
            sum2 = Products(sum2, weights + Column(2, block), first, second);
            sum3 = Products(sum3, weights + Column(3, block), first, second);
            for (var column = 0; column < Columns; column += Math.Max(1, BlockLayout.Rows / TLanes.Count))
            {
                if (Sse.IsSupported)
                {
                    Sse.Prefetch1(weights + ahead + Column(column, block));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSums Products(TSums sum, sbyte* weights, TPairs first, TPairs second) =>
        TLanes.AddProducts(TLanes.AddProducts(sum, TLanes.LoadWeights(weights), first), TLanes.LoadWeights(weights + PairBytes), second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Column(int column, long block) => column * TLanes.Count / BlockLayout.Rows * block + column * TLanes.Count % BlockLayout.Rows * 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long ScaleColumn(int column, int groups) =>
        (long)(column * TLanes.Count / BlockLayout.Rows) * BlockLayout.Rows * groups + column * TLanes.Count % BlockLayout.Rows;

    private static void Store(TResults column0, TResults column1, TResults column2, TResults column3, float* destination)
    {
        TLanes.Store(column0, destination);
        TLanes.Store(column1, destination + TLanes.Count);
        TLanes.Store(column2, destination + 2 * TLanes.Count);
        TLanes.Store(column3, destination + 3 * TLanes.Count);
    }
}
