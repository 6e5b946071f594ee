using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace EFedLLM.Transformer.Kernels;

/// <content>
/// Many tokens: the weights of a few rows are unpacked once, to a panel of int16 pairs that the first level of cache holds, and all tokens pass over it.
/// A panel is two columns and some groups: [pairs, 2, rows of a register, 2].
/// </content>
internal static unsafe partial class GroupDotTiles<TForm, TLanes, TPairs, TSums, TResults>
{
    /// <summary>Inputs of a panel: 8 KiB of pairs in registers of 256 bits.</summary>
    private const int PanelInputs = 256;

    /// <summary>Values of both columns that belong to one pair of inputs.</summary>
    private static int PairValues => 4 * TLanes.Count;

    /// <summary>Rows of a panel.</summary>
    private static int PanelRows => 2 * TLanes.Count;

    /// <summary>Adds the products of the tokens that fill tiles.</summary>
    /// <returns>How many tokens these are.</returns>
    [SkipLocalsInit]
    private static int AddPanels(in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, int tokens, float* results, int stride)
    {
        // In the widest registers two columns take 32 values an input; a line more, so that the panel begins at one.
        var memory = stackalloc short[PanelInputs * 32 + CacheLine / sizeof(short)];
        var panel = (short*)(((nint)memory + CacheLine - 1) & -CacheLine);
        var most = PanelInputs / matrix.Group;
        var done = tokens;
        for (var row = 0; row < rows; row += PanelRows)
        {
            for (var group = 0; group < matrix.Groups; group += most)
            {
                var groups = Math.Min(most, matrix.Groups - group);
                Unpack(matrix, firstRow + row, group, groups, panel);
                done = 0;
                for (var tile = Tile(tokens); tile > 0; tile = Tile(tokens - done))
                {
                    var first = results + (long)done * stride + row;
                    if (tile == 6)
                    {
                        AddSixTokens(matrix, firstRow + row, group, groups, panel, activations, firstToken + done, first, stride);
                    }
                    else
                    {
                        AddFourTokens(matrix, firstRow + row, group, groups, panel, activations, firstToken + done, first, stride);
                    }

                    done += tile;
                }
            }
        }

        return done;

        static int Tile(int left) => left >= 6 && left != 8 ? 6 : left >= 4 ? 4 : 0;
    }

    /// <summary>Unpacks some groups of a panel's rows, and fetches what the next panel takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack(in WeightBlocks matrix, int row, int group, int groups, short* panel)
    {
        var weights = matrix.WeightsOf(row) + (long)group * matrix.GroupBytes;
        var block = matrix.BlockBytes;
        var column1 = Column(1, block);
        long ahead = groups * matrix.GroupBytes;
        for (var end = panel + (long)groups * matrix.Group / 2 * PairValues; panel < end;)
        {
            var upper0 = TForm.LoadUpper(weights);
            var upper1 = TForm.LoadUpper(weights + column1);
            Prefetch(2, TForm.UpperBytes, weights + ahead, block);
            weights += TForm.UpperBytes;
            for (var step = TForm.RunSteps(matrix.Group); step > 0; step--)
            {
                Unpack(weights, upper0, panel);
                Unpack(weights + column1, upper1, panel + PairValues / 2);
                Prefetch(2, TForm.StepBytes, weights + ahead, block);
                upper0 = TForm.NextUpper(upper0);
                upper1 = TForm.NextUpper(upper1);
                weights += TForm.StepBytes;
                panel += StepPairs * PairValues;
            }
        }
    }

    /// <summary>Unpacks a step of a column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Unpack(sbyte* step, TPairs upper, short* panel)
    {
        var lower = TForm.LoadLower(step);
        TPairs even = TForm.Even(lower, upper), odd = TForm.Odd(lower, upper);
        TLanes.StorePairs(Signed(TForm.Pair(0, step, even, odd)), panel);
        TLanes.StorePairs(Signed(TForm.Pair(1, step, even, odd)), panel + PairValues);
        TLanes.StorePairs(Signed(TForm.Pair(2, step, even, odd)), panel + 2 * PairValues);
        TLanes.StorePairs(Signed(TForm.Pair(3, step, even, odd)), panel + 3 * PairValues);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchNear(sbyte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>The weights that a pair's values stand for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TPairs Signed(TPairs pairs) => TForm.Offset == 0 ? pairs : TLanes.Subtract(pairs, TLanes.Repeat((short)TForm.Offset));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddSixTokens(
        in WeightBlocks matrix, int row, int group, int groups, short* panel, in ActivationRows activations, int token, float* results, int stride)
    {
        var weightScales = matrix.ScalesOf(row) + (long)group * ScaleStride;
        var scaleColumn = ScaleColumn(1, matrix.Groups);
        var values = (int*)activations.ValuesOf(token) + (long)group * matrix.Group / 2;
        long next1 = activations.Groups * activations.Group / 2, next2 = 2 * next1, next3 = 3 * next1, next4 = 4 * next1, next5 = 5 * next1;
        for (var last = group + groups; group < last; group++)
        {
            TSums sum00 = default, sum10 = default, sum20 = default, sum30 = default, sum40 = default, sum50 = default;
            TSums sum01 = default, sum11 = default, sum21 = default, sum31 = default, sum41 = default, sum51 = default;
            var ahead = (sbyte*)(values + matrix.Group / 2);
            PrefetchNear(ahead);
            PrefetchNear(ahead + 4 * next1);
            PrefetchNear(ahead + 4 * next2);
            PrefetchNear(ahead + 4 * next3);
            PrefetchNear(ahead + 4 * next4);
            PrefetchNear(ahead + 4 * next5);
            for (var end = values + matrix.Group / 2; values < end; values += 2)
            {
                TPairs pairs0 = TLanes.LoadPairs(panel), pairs1 = TLanes.LoadPairs(panel + PairValues / 2);
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
                activation = TLanes.Broadcast(values + next4);
                sum40 = TLanes.AddProducts(sum40, pairs0, activation);
                sum41 = TLanes.AddProducts(sum41, pairs1, activation);
                activation = TLanes.Broadcast(values + next5);
                sum50 = TLanes.AddProducts(sum50, pairs0, activation);
                sum51 = TLanes.AddProducts(sum51, pairs1, activation);
                pairs0 = TLanes.LoadPairs(panel + PairValues);
                pairs1 = TLanes.LoadPairs(panel + PairValues + PairValues / 2);
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
                activation = TLanes.Broadcast(values + next4 + 1);
                sum40 = TLanes.AddProducts(sum40, pairs0, activation);
                sum41 = TLanes.AddProducts(sum41, pairs1, activation);
                activation = TLanes.Broadcast(values + next5 + 1);
                sum50 = TLanes.AddProducts(sum50, pairs0, activation);
                sum51 = TLanes.AddProducts(sum51, pairs1, activation);
                panel += 2 * PairValues;
            }

            var weightScale0 = TLanes.LoadScales(weightScales);
            var weightScale1 = TLanes.LoadScales(weightScales + scaleColumn);
            weightScales += ScaleStride;
            var scales = activations.ScalesOf(token) + group;
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, scales);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, scales + activations.Groups);
            Accumulate(results + 2 * stride, sum20, weightScale0, sum21, weightScale1, scales + 2 * activations.Groups);
            Accumulate(results + 3 * stride, sum30, weightScale0, sum31, weightScale1, scales + 3 * activations.Groups);
            Accumulate(results + 4 * stride, sum40, weightScale0, sum41, weightScale1, scales + 4 * activations.Groups);
            Accumulate(results + 5 * stride, sum50, weightScale0, sum51, weightScale1, scales + 5 * activations.Groups);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFourTokens(
        in WeightBlocks matrix, int row, int group, int groups, short* panel, in ActivationRows activations, int token, float* results, int stride)
    {
        var weightScales = matrix.ScalesOf(row) + (long)group * ScaleStride;
        var scaleColumn = ScaleColumn(1, matrix.Groups);
        var values = (int*)activations.ValuesOf(token) + (long)group * matrix.Group / 2;
        long next1 = activations.Groups * activations.Group / 2, next2 = 2 * next1, next3 = 3 * next1;
        for (var last = group + groups; group < last; group++)
        {
            TSums sum00 = default, sum10 = default, sum20 = default, sum30 = default;
            TSums sum01 = default, sum11 = default, sum21 = default, sum31 = default;
            var ahead = (sbyte*)(values + matrix.Group / 2);
            PrefetchNear(ahead);
            PrefetchNear(ahead + 4 * next1);
            PrefetchNear(ahead + 4 * next2);
            PrefetchNear(ahead + 4 * next3);
            for (var end = values + matrix.Group / 2; values < end; values += 2)
            {
                TPairs pairs0 = TLanes.LoadPairs(panel), pairs1 = TLanes.LoadPairs(panel + PairValues / 2);
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
                pairs0 = TLanes.LoadPairs(panel + PairValues);
                pairs1 = TLanes.LoadPairs(panel + PairValues + PairValues / 2);
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
                panel += 2 * PairValues;
            }

            var weightScale0 = TLanes.LoadScales(weightScales);
            var weightScale1 = TLanes.LoadScales(weightScales + scaleColumn);
            weightScales += ScaleStride;
            var scales = activations.ScalesOf(token) + group;
            Accumulate(results, sum00, weightScale0, sum01, weightScale1, scales);
            Accumulate(results + stride, sum10, weightScale0, sum11, weightScale1, scales + activations.Groups);
            Accumulate(results + 2 * stride, sum20, weightScale0, sum21, weightScale1, scales + 2 * activations.Groups);
            Accumulate(results + 3 * stride, sum30, weightScale0, sum31, weightScale1, scales + 3 * activations.Groups);
        }
    }
}
