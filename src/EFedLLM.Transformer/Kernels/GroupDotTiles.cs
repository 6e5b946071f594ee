using System.Runtime.CompilerServices;

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
        if (tokens == 1)
        {
            for (; row <= rows - 4 * TLanes.Count; row += 4 * TLanes.Count)
            {
                AddFourColumns(matrix, firstRow + row, activations, firstToken, results + row);
            }
        }

        for (; row <= rows - 2 * TLanes.Count; row += 2 * TLanes.Count)
        {
            switch (tokens)
            {
                case 4:
                    AddTwoColumnsOfFour(matrix, firstRow + row, activations, firstToken, results + row, rows);
                    break;
                case 2:
                    AddTwoColumnsOfTwo(matrix, firstRow + row, activations, firstToken, results + row, rows);
                    break;
                default:
                    AddTwoColumns(matrix, firstRow + row, activations, firstToken, results + row);
                    break;
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
        var weights0 = matrix.WeightsOf(row);
        var weights1 = matrix.WeightsOf(row + TLanes.Count);
        var weightScales0 = matrix.ScalesOf(row);
        var weightScales1 = matrix.ScalesOf(row + TLanes.Count);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var result0 = TLanes.Load(results);
        var result1 = TLanes.Load(results + TLanes.Count);
        var pairs = matrix.Group / 2;
        var weight = 0L;
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum0 = default, sum1 = default;
            for (var pair = 0; pair < pairs; pair++)
            {
                var activation = TLanes.Broadcast(values + pair);
                sum0 = TLanes.AddProducts(sum0, TLanes.LoadWeights(weights0 + weight), activation);
                sum1 = TLanes.AddProducts(sum1, TLanes.LoadWeights(weights1 + weight), activation);
                weight += PairStride;
            }

            values += pairs;
            var scale = group * ScaleStride;
            result0 = TLanes.Accumulate(result0, sum0, TLanes.LoadScales(weightScales0 + scale), scales[group]);
            result1 = TLanes.Accumulate(result1, sum1, TLanes.LoadScales(weightScales1 + scale), scales[group]);
        }

        TLanes.Store(result0, results);
        TLanes.Store(result1, results + TLanes.Count);
    }

    private static void AddFourColumns(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results)
    {
        var weights0 = matrix.WeightsOf(row);
        var weights1 = matrix.WeightsOf(row + TLanes.Count);
        var weights2 = matrix.WeightsOf(row + 2 * TLanes.Count);
        var weights3 = matrix.WeightsOf(row + 3 * TLanes.Count);
        var weightScales0 = matrix.ScalesOf(row);
        var weightScales1 = matrix.ScalesOf(row + TLanes.Count);
        var weightScales2 = matrix.ScalesOf(row + 2 * TLanes.Count);
        var weightScales3 = matrix.ScalesOf(row + 3 * TLanes.Count);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var result0 = TLanes.Load(results);
        var result1 = TLanes.Load(results + TLanes.Count);
        var result2 = TLanes.Load(results + 2 * TLanes.Count);
        var result3 = TLanes.Load(results + 3 * TLanes.Count);
        var pairs = matrix.Group / 2;
        var weight = 0L;
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (var pair = 0; pair < pairs; pair++)
            {
                var activation = TLanes.Broadcast(values + pair);
                sum0 = TLanes.AddProducts(sum0, TLanes.LoadWeights(weights0 + weight), activation);
                sum1 = TLanes.AddProducts(sum1, TLanes.LoadWeights(weights1 + weight), activation);
                sum2 = TLanes.AddProducts(sum2, TLanes.LoadWeights(weights2 + weight), activation);
                sum3 = TLanes.AddProducts(sum3, TLanes.LoadWeights(weights3 + weight), activation);
                weight += PairStride;
            }

            values += pairs;
            var scale = group * ScaleStride;
            result0 = TLanes.Accumulate(result0, sum0, TLanes.LoadScales(weightScales0 + scale), scales[group]);
            result1 = TLanes.Accumulate(result1, sum1, TLanes.LoadScales(weightScales1 + scale), scales[group]);
            result2 = TLanes.Accumulate(result2, sum2, TLanes.LoadScales(weightScales2 + scale), scales[group]);
            result3 = TLanes.Accumulate(result3, sum3, TLanes.LoadScales(weightScales3 + scale), scales[group]);
        }

        TLanes.Store(result0, results);
        TLanes.Store(result1, results + TLanes.Count);
        TLanes.Store(result2, results + 2 * TLanes.Count);
        TLanes.Store(result3, results + 3 * TLanes.Count);
    }

    private static void AddTwoColumnsOfTwo(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results, int stride)
    {
        var weights0 = matrix.WeightsOf(row);
        var weights1 = matrix.WeightsOf(row + TLanes.Count);
        var weightScales0 = matrix.ScalesOf(row);
        var weightScales1 = matrix.ScalesOf(row + TLanes.Count);
        var values0 = (int*)activations.ValuesOf(token);
        var values1 = (int*)activations.ValuesOf(token + 1);
        var scales0 = activations.ScalesOf(token);
        var scales1 = activations.ScalesOf(token + 1);
        var pairs = matrix.Group / 2;
        var weight = 0L;
        var value = 0L;
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum00 = default, sum01 = default, sum10 = default, sum11 = default;
            for (var end = value + pairs; value < end; value++)
            {
                var pairs0 = TLanes.LoadWeights(weights0 + weight);
                var pairs1 = TLanes.LoadWeights(weights1 + weight);
                weight += PairStride;
                var activation0 = TLanes.Broadcast(values0 + value);
                sum00 = TLanes.AddProducts(sum00, pairs0, activation0);
                sum01 = TLanes.AddProducts(sum01, pairs1, activation0);
                var activation1 = TLanes.Broadcast(values1 + value);
                sum10 = TLanes.AddProducts(sum10, pairs0, activation1);
                sum11 = TLanes.AddProducts(sum11, pairs1, activation1);
            }

            var weightScale0 = TLanes.LoadScales(weightScales0 + group * ScaleStride);
            var weightScale1 = TLanes.LoadScales(weightScales1 + group * ScaleStride);
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, scales0[group]);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, scales1[group]);
        }
    }

    private static void AddTwoColumnsOfFour(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results, int stride)
    {
        var weights0 = matrix.WeightsOf(row);
        var weights1 = matrix.WeightsOf(row + TLanes.Count);
        var weightScales0 = matrix.ScalesOf(row);
        var weightScales1 = matrix.ScalesOf(row + TLanes.Count);
        var values0 = (int*)activations.ValuesOf(token);
        var values1 = (int*)activations.ValuesOf(token + 1);
        var values2 = (int*)activations.ValuesOf(token + 2);
        var values3 = (int*)activations.ValuesOf(token + 3);
        var pairs = matrix.Group / 2;
        var weight = 0L;
        var value = 0L;
        for (var group = 0; group < matrix.Groups; group++)
        {
            TSums sum00 = default, sum01 = default, sum10 = default, sum11 = default;
            TSums sum20 = default, sum21 = default, sum30 = default, sum31 = default;
            for (var end = value + pairs; value < end; value++)
            {
                var pairs0 = TLanes.LoadWeights(weights0 + weight);
                var pairs1 = TLanes.LoadWeights(weights1 + weight);
                weight += PairStride;
                var activation0 = TLanes.Broadcast(values0 + value);
                sum00 = TLanes.AddProducts(sum00, pairs0, activation0);
                sum01 = TLanes.AddProducts(sum01, pairs1, activation0);
                var activation1 = TLanes.Broadcast(values1 + value);
                sum10 = TLanes.AddProducts(sum10, pairs0, activation1);
                sum11 = TLanes.AddProducts(sum11, pairs1, activation1);
                var activation2 = TLanes.Broadcast(values2 + value);
                sum20 = TLanes.AddProducts(sum20, pairs0, activation2);
                sum21 = TLanes.AddProducts(sum21, pairs1, activation2);
                var activation3 = TLanes.Broadcast(values3 + value);
                sum30 = TLanes.AddProducts(sum30, pairs0, activation3);
                sum31 = TLanes.AddProducts(sum31, pairs1, activation3);
            }

            var weightScale0 = TLanes.LoadScales(weightScales0 + group * ScaleStride);
            var weightScale1 = TLanes.LoadScales(weightScales1 + group * ScaleStride);
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, activations.ScalesOf(token)[group]);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, activations.ScalesOf(token + 1)[group]);
            Accumulate(results + 2 * stride, sum20, weightScale0, sum21, weightScale1, activations.ScalesOf(token + 2)[group]);
            Accumulate(results + 3 * stride, sum30, weightScale0, sum31, weightScale1, activations.ScalesOf(token + 3)[group]);
        }
    }

    /// <summary>Ends a group of one token. The results live in memory, so that the registers are the sums' in the loop over pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accumulate(float* results, TSums sum0, TResults weightScale0, TSums sum1, TResults weightScale1, float scale)
    {
        TLanes.Store(TLanes.Accumulate(TLanes.Load(results), sum0, weightScale0, scale), results);
        TLanes.Store(TLanes.Accumulate(TLanes.Load(results + TLanes.Count), sum1, weightScale1, scale), results + TLanes.Count);
    }
}
