using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

/// <content>Tiles of several tokens: reading a prompt, and batches.</content>
internal static unsafe partial class GroupDotTiles<TForm, TLanes, TPairs, TSums, TResults>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFourColumnsOfTwo(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results, int stride)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var block = matrix.BlockBytes;
        var ahead = Ahead(4, block);
        long column1 = Column(1, block), column2 = Column(2, block), column3 = Column(3, block);
        var values = (int*)activations.ValuesOf(token);
        long next = activations.Groups * activations.Group / 2;
        for (var group = 0; group < matrix.Groups; group++)
        {
            var sums = activations.SumsOf(token) + group;
            var sum00 = Begin(sums);
            var sum10 = Begin(sums + activations.Groups);
            TSums sum01 = sum00, sum02 = sum00, sum03 = sum00;
            TSums sum11 = sum10, sum12 = sum10, sum13 = sum10;
            for (var end = values + matrix.Group / 2; values < end;)
            {
                var upper0 = TForm.LoadUpper(weights);
                var upper1 = TForm.LoadUpper(weights + column1);
                var upper2 = TForm.LoadUpper(weights + column2);
                var upper3 = TForm.LoadUpper(weights + column3);
                Prefetch(4, TForm.UpperBytes, weights + ahead, block);
                weights += TForm.UpperBytes;
                for (var step = TForm.RunSteps(matrix.Group); step > 0; step--)
                {
                    TPairs lower0 = TForm.LoadLower(weights), even0 = TForm.Even(lower0, upper0), odd0 = TForm.Odd(lower0, upper0);
                    TPairs lower1 = TForm.LoadLower(weights + column1), even1 = TForm.Even(lower1, upper1), odd1 = TForm.Odd(lower1, upper1);
                    TPairs lower2 = TForm.LoadLower(weights + column2), even2 = TForm.Even(lower2, upper2), odd2 = TForm.Odd(lower2, upper2);
                    TPairs lower3 = TForm.LoadLower(weights + column3), even3 = TForm.Even(lower3, upper3), odd3 = TForm.Odd(lower3, upper3);
                    var activation0 = TLanes.Broadcast(values);
                    var activation1 = TLanes.Broadcast(values + next);
                    var pairs = TForm.Pair(0, weights, even0, odd0);
                    sum00 = TLanes.AddProducts(sum00, pairs, activation0);
                    sum10 = TLanes.AddProducts(sum10, pairs, activation1);
                    pairs = TForm.Pair(0, weights + column1, even1, odd1);
                    sum01 = TLanes.AddProducts(sum01, pairs, activation0);
                    sum11 = TLanes.AddProducts(sum11, pairs, activation1);
                    pairs = TForm.Pair(0, weights + column2, even2, odd2);
                    sum02 = TLanes.AddProducts(sum02, pairs, activation0);
                    sum12 = TLanes.AddProducts(sum12, pairs, activation1);
                    pairs = TForm.Pair(0, weights + column3, even3, odd3);
                    sum03 = TLanes.AddProducts(sum03, pairs, activation0);
                    sum13 = TLanes.AddProducts(sum13, pairs, activation1);
                    activation0 = TLanes.Broadcast(values + 1);
                    activation1 = TLanes.Broadcast(values + next + 1);
                    pairs = TForm.Pair(1, weights, even0, odd0);
                    sum00 = TLanes.AddProducts(sum00, pairs, activation0);
                    sum10 = TLanes.AddProducts(sum10, pairs, activation1);
                    pairs = TForm.Pair(1, weights + column1, even1, odd1);
                    sum01 = TLanes.AddProducts(sum01, pairs, activation0);
                    sum11 = TLanes.AddProducts(sum11, pairs, activation1);
                    pairs = TForm.Pair(1, weights + column2, even2, odd2);
                    sum02 = TLanes.AddProducts(sum02, pairs, activation0);
                    sum12 = TLanes.AddProducts(sum12, pairs, activation1);
                    pairs = TForm.Pair(1, weights + column3, even3, odd3);
                    sum03 = TLanes.AddProducts(sum03, pairs, activation0);
                    sum13 = TLanes.AddProducts(sum13, pairs, activation1);
                    activation0 = TLanes.Broadcast(values + 2);
                    activation1 = TLanes.Broadcast(values + next + 2);
                    pairs = TForm.Pair(2, weights, even0, odd0);
                    sum00 = TLanes.AddProducts(sum00, pairs, activation0);
                    sum10 = TLanes.AddProducts(sum10, pairs, activation1);
                    pairs = TForm.Pair(2, weights + column1, even1, odd1);
                    sum01 = TLanes.AddProducts(sum01, pairs, activation0);
                    sum11 = TLanes.AddProducts(sum11, pairs, activation1);
                    pairs = TForm.Pair(2, weights + column2, even2, odd2);
                    sum02 = TLanes.AddProducts(sum02, pairs, activation0);
                    sum12 = TLanes.AddProducts(sum12, pairs, activation1);
                    pairs = TForm.Pair(2, weights + column3, even3, odd3);
                    sum03 = TLanes.AddProducts(sum03, pairs, activation0);
                    sum13 = TLanes.AddProducts(sum13, pairs, activation1);
                    activation0 = TLanes.Broadcast(values + 3);
                    activation1 = TLanes.Broadcast(values + next + 3);
                    pairs = TForm.Pair(3, weights, even0, odd0);
                    sum00 = TLanes.AddProducts(sum00, pairs, activation0);
                    sum10 = TLanes.AddProducts(sum10, pairs, activation1);
                    pairs = TForm.Pair(3, weights + column1, even1, odd1);
                    sum01 = TLanes.AddProducts(sum01, pairs, activation0);
                    sum11 = TLanes.AddProducts(sum11, pairs, activation1);
                    pairs = TForm.Pair(3, weights + column2, even2, odd2);
                    sum02 = TLanes.AddProducts(sum02, pairs, activation0);
                    sum12 = TLanes.AddProducts(sum12, pairs, activation1);
                    pairs = TForm.Pair(3, weights + column3, even3, odd3);
                    sum03 = TLanes.AddProducts(sum03, pairs, activation0);
                    sum13 = TLanes.AddProducts(sum13, pairs, activation1);
                    Prefetch(4, TForm.StepBytes, weights + ahead, block);
                    upper0 = TForm.NextUpper(upper0);
                    upper1 = TForm.NextUpper(upper1);
                    upper2 = TForm.NextUpper(upper2);
                    upper3 = TForm.NextUpper(upper3);
                    weights += TForm.StepBytes;
                    values += StepPairs;
                }
            }

            var weightScale0 = TLanes.LoadScales(weightScales);
            var weightScale1 = TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups));
            var weightScale2 = TLanes.LoadScales(weightScales + ScaleColumn(2, matrix.Groups));
            var weightScale3 = TLanes.LoadScales(weightScales + ScaleColumn(3, matrix.Groups));
            weightScales += ScaleStride;
            var scales = activations.ScalesOf(token) + group;
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, scales);
            Accumulate(results + 2 * TLanes.Count, sum02, weightScale2, sum03, weightScale3, scales);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, scales + activations.Groups);
            Accumulate(results + stride + 2 * TLanes.Count, sum12, weightScale2, sum13, weightScale3, scales + activations.Groups);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddTwoColumnsOfFour(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results, int stride)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var block = matrix.BlockBytes;
        var ahead = Ahead(2, block);
        var column1 = Column(1, block);
        var values = (int*)activations.ValuesOf(token);
        long next1 = activations.Groups * activations.Group / 2, next2 = 2 * next1, next3 = 3 * next1;
        for (var group = 0; group < matrix.Groups; group++)
        {
            var sums = activations.SumsOf(token) + group;
            var sum00 = Begin(sums);
            var sum10 = Begin(sums + activations.Groups);
            var sum20 = Begin(sums + 2 * activations.Groups);
            var sum30 = Begin(sums + 3 * activations.Groups);
            TSums sum01 = sum00;
            TSums sum11 = sum10;
            TSums sum21 = sum20;
            TSums sum31 = sum30;
            for (var end = values + matrix.Group / 2; values < end;)
            {
                var upper0 = TForm.LoadUpper(weights);
                var upper1 = TForm.LoadUpper(weights + column1);
                Prefetch(2, TForm.UpperBytes, weights + ahead, block);
                weights += TForm.UpperBytes;
                for (var step = TForm.RunSteps(matrix.Group); step > 0; step--)
                {
                    TPairs lower0 = TForm.LoadLower(weights), even0 = TForm.Even(lower0, upper0), odd0 = TForm.Odd(lower0, upper0);
                    TPairs lower1 = TForm.LoadLower(weights + column1), even1 = TForm.Even(lower1, upper1), odd1 = TForm.Odd(lower1, upper1);
                    var pairs0 = TForm.Pair(0, weights, even0, odd0);
                    var pairs1 = TForm.Pair(0, weights + column1, even1, odd1);
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
                    pairs0 = TForm.Pair(1, weights, even0, odd0);
                    pairs1 = TForm.Pair(1, weights + column1, even1, odd1);
                    activation = TLanes.Broadcast(values + 1);
                    sum00 = TLanes.AddProducts(sum00, pairs0, activation);
                    sum01 = TLanes.AddProducts(sum01, pairs1, activation);
                    activation = TLanes.Broadcast(values + next1 + 1);
                    sum10 = TLanes.AddProducts(sum10, pairs0, activation);
                    sum11 = TLanes.AddProducts(sum11, pairs1, activation);
                    activation = TLanes.Broadcast(values + next2 + 1);
                    sum20 = TLanes.AddProducts(sum20, pairs0, activation);
                    sum21 = TLanes.AddProducts(sum21, pairs1, activation);
                    activation = TLanes.Broadcast(values + next3 + 1);
                    sum30 = TLanes.AddProducts(sum30, pairs0, activation);
                    sum31 = TLanes.AddProducts(sum31, pairs1, activation);
                    pairs0 = TForm.Pair(2, weights, even0, odd0);
                    pairs1 = TForm.Pair(2, weights + column1, even1, odd1);
                    activation = TLanes.Broadcast(values + 2);
                    sum00 = TLanes.AddProducts(sum00, pairs0, activation);
                    sum01 = TLanes.AddProducts(sum01, pairs1, activation);
                    activation = TLanes.Broadcast(values + next1 + 2);
                    sum10 = TLanes.AddProducts(sum10, pairs0, activation);
                    sum11 = TLanes.AddProducts(sum11, pairs1, activation);
                    activation = TLanes.Broadcast(values + next2 + 2);
                    sum20 = TLanes.AddProducts(sum20, pairs0, activation);
                    sum21 = TLanes.AddProducts(sum21, pairs1, activation);
                    activation = TLanes.Broadcast(values + next3 + 2);
                    sum30 = TLanes.AddProducts(sum30, pairs0, activation);
                    sum31 = TLanes.AddProducts(sum31, pairs1, activation);
                    pairs0 = TForm.Pair(3, weights, even0, odd0);
                    pairs1 = TForm.Pair(3, weights + column1, even1, odd1);
                    activation = TLanes.Broadcast(values + 3);
                    sum00 = TLanes.AddProducts(sum00, pairs0, activation);
                    sum01 = TLanes.AddProducts(sum01, pairs1, activation);
                    activation = TLanes.Broadcast(values + next1 + 3);
                    sum10 = TLanes.AddProducts(sum10, pairs0, activation);
                    sum11 = TLanes.AddProducts(sum11, pairs1, activation);
                    activation = TLanes.Broadcast(values + next2 + 3);
                    sum20 = TLanes.AddProducts(sum20, pairs0, activation);
                    sum21 = TLanes.AddProducts(sum21, pairs1, activation);
                    activation = TLanes.Broadcast(values + next3 + 3);
                    sum30 = TLanes.AddProducts(sum30, pairs0, activation);
                    sum31 = TLanes.AddProducts(sum31, pairs1, activation);
                    Prefetch(2, TForm.StepBytes, weights + ahead, block);
                    upper0 = TForm.NextUpper(upper0);
                    upper1 = TForm.NextUpper(upper1);
                    weights += TForm.StepBytes;
                    values += StepPairs;
                }
            }

            var weightScale0 = TLanes.LoadScales(weightScales);
            var weightScale1 = TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups));
            weightScales += ScaleStride;
            var scales = activations.ScalesOf(token) + group;
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, scales);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, scales + activations.Groups);
            Accumulate(results + 2 * stride, sum20, weightScale0, sum21, weightScale1, scales + 2 * activations.Groups);
            Accumulate(results + 3 * stride, sum30, weightScale0, sum31, weightScale1, scales + 3 * activations.Groups);
        }
    }
}
