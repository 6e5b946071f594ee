using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

/// <content>Tiles of one token: decoding, which waits for the weights.</content>
internal static unsafe partial class GroupDotTiles<TForm, TLanes, TPairs, TSums, TResults>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddColumn(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var sums = activations.SumsOf(token);
        var result = TLanes.Load(results);
        for (var group = 0; group < matrix.Groups; group++)
        {
            var sum = Begin(sums + group);
            for (var end = values + matrix.Group / 2; values < end;)
            {
                var upper = TForm.LoadUpper(weights);
                weights += TForm.UpperBytes;
                for (var step = TForm.RunSteps(matrix.Group); step > 0; step--)
                {
                    TPairs activation0 = TLanes.Broadcast(values), activation1 = TLanes.Broadcast(values + 1);
                    TPairs activation2 = TLanes.Broadcast(values + 2), activation3 = TLanes.Broadcast(values + 3);
                    sum = AddStep(sum, weights, upper, activation0, activation1, activation2, activation3);
                    upper = TForm.NextUpper(upper);
                    weights += TForm.StepBytes;
                    values += StepPairs;
                }
            }

            var scale = TLanes.BroadcastScale(scales + group);
            result = TLanes.Accumulate(result, sum, TLanes.LoadScales(weightScales), scale);
            weightScales += ScaleStride;
        }

        TLanes.Store(result, results);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddTwoColumns(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var block = matrix.BlockBytes;
        var ahead = Ahead(2, block);
        var column1 = Column(1, block);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var sums = activations.SumsOf(token);
        var result0 = TLanes.Load(results);
        var result1 = TLanes.Load(results + TLanes.Count);
        for (var group = 0; group < matrix.Groups; group++)
        {
            var sum0 = Begin(sums + group);
            var sum1 = sum0;
            for (var end = values + matrix.Group / 2; values < end;)
            {
                var upper0 = TForm.LoadUpper(weights);
                var upper1 = TForm.LoadUpper(weights + column1);
                Prefetch(2, TForm.UpperBytes, weights + ahead, block);
                weights += TForm.UpperBytes;
                for (var step = TForm.RunSteps(matrix.Group); step > 0; step--)
                {
                    TPairs activation0 = TLanes.Broadcast(values), activation1 = TLanes.Broadcast(values + 1);
                    TPairs activation2 = TLanes.Broadcast(values + 2), activation3 = TLanes.Broadcast(values + 3);
                    sum0 = AddStep(sum0, weights, upper0, activation0, activation1, activation2, activation3);
                    sum1 = AddStep(sum1, weights + column1, upper1, activation0, activation1, activation2, activation3);
                    Prefetch(2, TForm.StepBytes, weights + ahead, block);
                    upper0 = TForm.NextUpper(upper0);
                    upper1 = TForm.NextUpper(upper1);
                    weights += TForm.StepBytes;
                    values += StepPairs;
                }
            }

            var scale = TLanes.BroadcastScale(scales + group);
            result0 = TLanes.Accumulate(result0, sum0, TLanes.LoadScales(weightScales), scale);
            result1 = TLanes.Accumulate(result1, sum1, TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups)), scale);
            weightScales += ScaleStride;
        }

        TLanes.Store(result0, results);
        TLanes.Store(result1, results + TLanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFourColumns(in WeightBlocks matrix, int row, in ActivationRows activations, int token, float* results)
    {
        var weights = matrix.WeightsOf(row);
        var weightScales = matrix.ScalesOf(row);
        var block = matrix.BlockBytes;
        var ahead = Ahead(4, block);
        long column1 = Column(1, block), column2 = Column(2, block), column3 = Column(3, block);
        var values = (int*)activations.ValuesOf(token);
        var scales = activations.ScalesOf(token);
        var sums = activations.SumsOf(token);
        var result0 = TLanes.Load(results);
        var result1 = TLanes.Load(results + TLanes.Count);
        var result2 = TLanes.Load(results + 2 * TLanes.Count);
        var result3 = TLanes.Load(results + 3 * TLanes.Count);
        for (var group = 0; group < matrix.Groups; group++)
        {
            var sum0 = Begin(sums + group);
            TSums sum1 = sum0, sum2 = sum0, sum3 = sum0;
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
                    TPairs activation0 = TLanes.Broadcast(values), activation1 = TLanes.Broadcast(values + 1);
                    TPairs activation2 = TLanes.Broadcast(values + 2), activation3 = TLanes.Broadcast(values + 3);
                    sum0 = AddStep(sum0, weights, upper0, activation0, activation1, activation2, activation3);
                    sum1 = AddStep(sum1, weights + column1, upper1, activation0, activation1, activation2, activation3);
                    sum2 = AddStep(sum2, weights + column2, upper2, activation0, activation1, activation2, activation3);
                    sum3 = AddStep(sum3, weights + column3, upper3, activation0, activation1, activation2, activation3);
                    Prefetch(4, TForm.StepBytes, weights + ahead, block);
                    upper0 = TForm.NextUpper(upper0);
                    upper1 = TForm.NextUpper(upper1);
                    upper2 = TForm.NextUpper(upper2);
                    upper3 = TForm.NextUpper(upper3);
                    weights += TForm.StepBytes;
                    values += StepPairs;
                }
            }

            var scale = TLanes.BroadcastScale(scales + group);
            result0 = TLanes.Accumulate(result0, sum0, TLanes.LoadScales(weightScales), scale);
            result1 = TLanes.Accumulate(result1, sum1, TLanes.LoadScales(weightScales + ScaleColumn(1, matrix.Groups)), scale);
            result2 = TLanes.Accumulate(result2, sum2, TLanes.LoadScales(weightScales + ScaleColumn(2, matrix.Groups)), scale);
            result3 = TLanes.Accumulate(result3, sum3, TLanes.LoadScales(weightScales + ScaleColumn(3, matrix.Groups)), scale);
            weightScales += ScaleStride;
        }

        TLanes.Store(result0, results);
        TLanes.Store(result1, results + TLanes.Count);
        TLanes.Store(result2, results + 2 * TLanes.Count);
        TLanes.Store(result3, results + 3 * TLanes.Count);
    }

    /// <summary>Adds the products of a step in one column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSums AddStep(TSums sum, sbyte* step, TPairs upper, TPairs activation0, TPairs activation1, TPairs activation2, TPairs activation3)
    {
        var lower = TForm.LoadLower(step);
        TPairs even = TForm.Even(lower, upper), odd = TForm.Odd(lower, upper);
        sum = TLanes.AddProducts(sum, TForm.Pair(0, step, even, odd), activation0);
        sum = TLanes.AddProducts(sum, TForm.Pair(1, step, even, odd), activation1);
        sum = TLanes.AddProducts(sum, TForm.Pair(2, step, even, odd), activation2);
        return TLanes.AddProducts(sum, TForm.Pair(3, step, even, odd), activation3);
    }
}
