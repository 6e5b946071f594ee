using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// <see cref="GroupDot"/> for one register width. A column is the rows of one register; a tile is some columns times
/// some tokens, whose sums stay in registers while the weights pass by once.
/// </summary>
internal static unsafe class GroupDotTiles<TLanes, TPairs, TSums, TResults>
    where TLanes : struct, IDotLanes<TPairs, TSums, TResults>
    where TPairs : struct
    where TSums : struct
    where TResults : struct
{
    /// <summary>From one pair of inputs of a block to the next: bytes of weights.</summary>
    private const int PairStride = 32;

    /// <summary>From one group of a block to the next: number of scales.</summary>
    private const int ScaleStride = 16;

    private const long NearBytes = 64 << 10;
    private const long AheadBytes = 512;

    /// <inheritdoc cref="GroupDot.Add"/>
    public static void Add(in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, int tokens, float* results)
    {
        for (var token = 0; token < tokens;)
        {
            var tile = tokens - token >= 4 ? 4 : tokens - token >= 2 ? 2 : 1;
            AddTokens(tile, matrix, firstRow, rows, activations, firstToken + token, results + token * rows);
            token += tile;
        }
    }

    private static void AddTokens(int tokens, in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, float* results)
    {
        var row = 0;
        for (; tokens < 4 && row <= rows - 4 * TLanes.Count; row += 4 * TLanes.Count)
        {
            if (tokens == 2)
            {
                AddFourColumnsOfTwo(matrix, firstRow + row, activations, firstToken, results + row, rows);
            }
            else
            {
                AddFourColumns(matrix, firstRow + row, activations, firstToken, results + row);
            }
        }

        for (; row <= rows - 2 * TLanes.Count; row += 2 * TLanes.Count)
        {
            if (tokens == 4)
            {
                AddTwoColumnsOfFour(matrix, firstRow + row, activations, firstToken, results + row, rows);
                continue;
            }

            for (var token = 0; token < tokens; token++)
            {
                AddTwoColumns(matrix, firstRow + row, activations, firstToken + token, results + token * rows + row);
            }
        }

        for (; row < rows; row += TLanes.Count)
        {
            for (var token = 0; token < tokens; token++)
            {
                AddColumn(matrix, firstRow + row, activations, firstToken + token, results + token * rows + row);
            }
        }
    }

    private static void AddColumn(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var result = TLanes.Load(results);
        var pairs = matrix.Group / 2;
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum = default;
            for (var pair = 0; pair < pairs; pair++)
            {
                sum = TLanes.AddProducts(sum, TLanes.LoadWeights(weights), TLanes.Broadcast(values + pair));
                weights += PairStride;
            }

            values += pairs;
            result = TLanes.Accumulate(result, sum, TLanes.LoadScales(weightScales), scales[group]);
            weightScales += ScaleStride;
        }

        TLanes.Store(result, results);
    }

    private static void AddTwoColumns(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var column1 = Column1(BlockLayout.Rows * matrix.Width);
        var ahead = Ahead(2 * TLanes.Count / BlockLayout.Rows * (long)BlockLayout.Rows * matrix.Width);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var result0 = TLanes.Load(results);
        var result1 = TLanes.Load(results + TLanes.Count);
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum0 = default, sum1 = default;
            for (var end = values + matrix.Group / 2; values < end; values++)
            {
                var activation = TLanes.Broadcast(values);
                sum0 = TLanes.AddProducts(sum0, TLanes.LoadWeights(weights), activation);
                sum1 = TLanes.AddProducts(sum1, TLanes.LoadWeights(weights + column1), activation);
                Prefetch(weights + ahead);
                Prefetch(weights + column1 + ahead);
                weights += PairStride;
            }

            result0 = TLanes.Accumulate(result0, sum0, TLanes.LoadScales(weightScales), scales[group]);
            result1 = TLanes.Accumulate(result1, sum1, TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups)), scales[group]);
            weightScales += ScaleStride;
        }

        TLanes.Store(result0, results);
        TLanes.Store(result1, results + TLanes.Count);
    }

    private static void AddFourColumns(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        long block = BlockLayout.Rows * matrix.Width;
        var ahead = Ahead(4 * TLanes.Count / BlockLayout.Rows * block);
        long column1 = Column1(block), column2 = Column2(block), column3 = Column3(block);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var result0 = TLanes.Load(results);
        var result1 = TLanes.Load(results + TLanes.Count);
        var result2 = TLanes.Load(results + 2 * TLanes.Count);
        var result3 = TLanes.Load(results + 3 * TLanes.Count);
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (var end = values + matrix.Group / 2; values < end; values += 2)
            {
                var activation = TLanes.Broadcast(values);
                sum0 = TLanes.AddProducts(sum0, TLanes.LoadWeights(weights), activation);
                sum1 = TLanes.AddProducts(sum1, TLanes.LoadWeights(weights + column1), activation);
                sum2 = TLanes.AddProducts(sum2, TLanes.LoadWeights(weights + column2), activation);
                sum3 = TLanes.AddProducts(sum3, TLanes.LoadWeights(weights + column3), activation);
                activation = TLanes.Broadcast(values + 1);
                sum0 = TLanes.AddProducts(sum0, TLanes.LoadWeights(weights + PairStride), activation);
                sum1 = TLanes.AddProducts(sum1, TLanes.LoadWeights(weights + column1 + PairStride), activation);
                sum2 = TLanes.AddProducts(sum2, TLanes.LoadWeights(weights + column2 + PairStride), activation);
                sum3 = TLanes.AddProducts(sum3, TLanes.LoadWeights(weights + column3 + PairStride), activation);
                Prefetch(weights + ahead);
                if (TLanes.Count > BlockLayout.Rows / 4)
                {
                    Prefetch(weights + block + ahead);
                }

                if (TLanes.Count == BlockLayout.Rows)
                {
                    Prefetch(weights + column2 + ahead);
                    Prefetch(weights + column3 + ahead);
                }

                weights += 2 * PairStride;
            }

            result0 = TLanes.Accumulate(result0, sum0, TLanes.LoadScales(weightScales), scales[group]);
            result1 = TLanes.Accumulate(result1, sum1, TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups)), scales[group]);
            result2 = TLanes.Accumulate(result2, sum2, TLanes.LoadScales(weightScales + ScaleColumn(2, matrix.Groups)), scales[group]);
            result3 = TLanes.Accumulate(result3, sum3, TLanes.LoadScales(weightScales + ScaleColumn(3, matrix.Groups)), scales[group]);
            weightScales += ScaleStride;
        }

        TLanes.Store(result0, results);
        TLanes.Store(result1, results + TLanes.Count);
        TLanes.Store(result2, results + 2 * TLanes.Count);
        TLanes.Store(result3, results + 3 * TLanes.Count);
    }

    private static void AddFourColumnsOfTwo(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results, int stride)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        long block = BlockLayout.Rows * matrix.Width;
        var ahead = Ahead(4 * TLanes.Count / BlockLayout.Rows * block);
        long column1 = Column1(block), column2 = Column2(block), column3 = Column3(block);
        var values = (int*)activations.ValuesOf(token);
        long next = activations.Groups * activations.Group / 2;
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum00 = default, sum01 = default, sum02 = default, sum03 = default;
            TSums sum10 = default, sum11 = default, sum12 = default, sum13 = default;
            for (var end = values + matrix.Group / 2; values < end; values++)
            {
                var activation0 = TLanes.Broadcast(values);
                var activation1 = TLanes.Broadcast(values + next);
                var pairs = TLanes.LoadWeights(weights);
                sum00 = TLanes.AddProducts(sum00, pairs, activation0);
                sum10 = TLanes.AddProducts(sum10, pairs, activation1);
                pairs = TLanes.LoadWeights(weights + column1);
                sum01 = TLanes.AddProducts(sum01, pairs, activation0);
                sum11 = TLanes.AddProducts(sum11, pairs, activation1);
                pairs = TLanes.LoadWeights(weights + column2);
                sum02 = TLanes.AddProducts(sum02, pairs, activation0);
                sum12 = TLanes.AddProducts(sum12, pairs, activation1);
                pairs = TLanes.LoadWeights(weights + column3);
                sum03 = TLanes.AddProducts(sum03, pairs, activation0);
                sum13 = TLanes.AddProducts(sum13, pairs, activation1);
                Prefetch(weights + ahead);
                Prefetch(weights + column2 + ahead);
                weights += PairStride;
            }

            var weightScale0 = TLanes.LoadScales(weightScales);
            var weightScale1 = TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups));
            var weightScale2 = TLanes.LoadScales(weightScales + ScaleColumn(2, matrix.Groups));
            var weightScale3 = TLanes.LoadScales(weightScales + ScaleColumn(3, matrix.Groups));
            weightScales += ScaleStride;
            var scales = activations.ScalesOf(token) + group;
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, scales[0]);
            Accumulate(results + 2 * TLanes.Count, sum02, weightScale2, sum03, weightScale3, scales[0]);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, scales[activations.Groups]);
            Accumulate(results + stride + 2 * TLanes.Count, sum12, weightScale2, sum13, weightScale3, scales[activations.Groups]);
        }
    }

    private static void AddTwoColumnsOfFour(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results, int stride)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var column1 = Column1(BlockLayout.Rows * matrix.Width);
        var values = (int*)activations.ValuesOf(token);
        var ahead = Ahead(2 * TLanes.Count / BlockLayout.Rows * (long)BlockLayout.Rows * matrix.Width);
        long next1 = activations.Groups * activations.Group / 2, next2 = 2 * next1, next3 = 3 * next1;
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum00 = default, sum01 = default, sum10 = default, sum11 = default;
            TSums sum20 = default, sum21 = default, sum30 = default, sum31 = default;
            for (var end = values + matrix.Group / 2; values < end; values++)
            {
                var pairs0 = TLanes.LoadWeights(weights);
                var pairs1 = TLanes.LoadWeights(weights + column1);
                weights += PairStride;
                var activation = TLanes.Broadcast(values);
                sum00 = TLanes.AddProducts(sum00, pairs0, activation);
                sum01 = TLanes.AddProducts(sum01, pairs1, activation);
                activation = TLanes.Broadcast(values + next1);
                sum10 = TLanes.AddProducts(sum10, pairs0, activation);
                sum11 = TLanes.AddProducts(sum11, pairs1, activation);
                activation = TLanes.Broadcast(values + next2);
                sum20 = TLanes.AddProducts(sum20, pairs0, activation);
                sum21 = TLanes.AddProducts(sum21, pairs1, activation);
                activation = TLanes.Broadcast(values + next3);
                sum30 = TLanes.AddProducts(sum30, pairs0, activation);
                sum31 = TLanes.AddProducts(sum31, pairs1, activation);
                Prefetch(weights + ahead);
                Prefetch(weights + column1 + ahead);
            }

            var weightScale0 = TLanes.LoadScales(weightScales);
            var weightScale1 = TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups));
            weightScales += ScaleStride;
            var scales = activations.ScalesOf(token) + group;
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, scales[0]);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, scales[activations.Groups]);
            Accumulate(results + 2 * stride, sum20, weightScale0, sum21, weightScale1, scales[2 * activations.Groups]);
            Accumulate(results + 3 * stride, sum30, weightScale0, sum31, weightScale1, scales[3 * activations.Groups]);
        }
    }

    /// <summary>
    /// How far ahead to fetch: the rows after those of a tile where they are near, because the processor's own
    /// prefetching begins anew with them; else only a little.
    /// </summary>
    private static long Ahead(long tile) => tile <= NearBytes ? tile : AheadBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(sbyte* address)
    {
        // Fetching beyond the end is allowed: it never faults.
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }

    /// <summary>Where the weights of the next column lie: in the next block, or further on in the pairs of the same one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Column1(long block) => TLanes.Count == BlockLayout.Rows ? block : 2 * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Column2(long block) => TLanes.Count == BlockLayout.Rows ? 2 * block : TLanes.Count == BlockLayout.Rows / 2 ? block : 4 * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Column3(long block) => TLanes.Count == BlockLayout.Rows ? 3 * block : TLanes.Count == BlockLayout.Rows / 2 ? block + 2 * TLanes.Count : 6 * TLanes.Count;

    /// <summary>Where the scales of a later column lie.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long ScaleColumn(int column, int groups)
    {
        var row = column * TLanes.Count;
        return (long)(row / BlockLayout.Rows) * BlockLayout.Rows * groups + row % BlockLayout.Rows;
    }

    /// <summary>Ends a group of one token. The results live in memory, so that the registers are the sums' in the loop over pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accumulate(float* results, TSums sum0, TResults weightScale0, TSums sum1, TResults weightScale1, float scale)
    {
        TLanes.Store(TLanes.Accumulate(TLanes.Load(results), sum0, weightScale0, scale), results);
        TLanes.Store(TLanes.Accumulate(TLanes.Load(results + TLanes.Count), sum1, weightScale1, scale), results + TLanes.Count);
    }
}
