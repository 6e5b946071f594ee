using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// <see cref="GroupDot"/> for one register width and form of weights. A column is the rows of one register; a tile is
/// some columns times some tokens, whose sums stay in registers while the weights pass by once. A sum begins at what the
/// offset of the weights adds to it, negated, so that it ends as the sum of the weights' own products. The loops are compiled
/// to the end at once: a device that takes over in the middle of an answer has no time to warm up.
/// </summary>
internal static unsafe partial class GroupDotTiles<TForm, TLanes, TPairs, TSums, TResults>
    where TForm : struct, IWeightForm<TPairs>
    where TLanes : struct, IDotLanes<TPairs, TSums, TResults>
    where TPairs : struct
    where TSums : struct
    where TResults : struct
{
    /// <summary>From one step of activations to the next: pairs of values.</summary>
    private const int StepPairs = PackedWords.Inputs / 2;

    private const int CacheLine = 64;

    /// <summary>From one group of a block to the next: number of scales.</summary>
    private const int ScaleStride = 16;

    private const long AheadBytes = 512;

    /// <inheritdoc cref="GroupDot.Add"/>
    public static void Add(in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, int tokens, float* results)
    {
        var (panelRows, panelTokens) = (0, 0);
        if (tokens >= GroupDot.LeastPanelTokens(matrix.Bits))
        {
            panelRows = rows / PanelRows * PanelRows;
            panelTokens = AddPanels(matrix, firstRow, panelRows, activations, firstToken, tokens, results, rows);
        }

        for (var token = 0; token < tokens;)
        {
            // What no panel has taken: the last tokens of its rows, and the rows behind them.
            var row = token < panelTokens ? panelRows : 0;
            var left = token < panelTokens ? panelTokens - token : tokens - token;
            var tile = left >= 4 ? 4 : left >= 2 ? 2 : 1;
            AddTokens(tile, matrix, firstRow, row, rows, activations, firstToken + token, results + (long)token * rows);
            token += tile;
        }
    }

    private static void AddTokens(int tokens, in WeightBlocks matrix, int firstRow, int row, int rows, in ActivationRows activations, int firstToken, float* results)
    {
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

    /// <summary>
    /// How far ahead to fetch: the rows after those of a tile where they are near, because the processor's own
    /// prefetching begins anew with them; else only a little.
    /// </summary>
    private static long Ahead(int columns, long block)
    {
        var tile = columns * TLanes.Count * block / BlockLayout.Rows;
        return tile <= Blocking.Here.NearBytes ? tile : AheadBytes;
    }

    /// <summary>Fetches the lines that the columns of a tile will read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(int columns, int bytes, sbyte* address, long block)
    {
        for (var line = 0; line < bytes; line += CacheLine)
        {
            Prefetch(address + line);
            if (columns * TLanes.Count >= 2 * BlockLayout.Rows)
            {
                Prefetch(address + line + block);
            }

            if (columns * TLanes.Count >= 4 * BlockLayout.Rows)
            {
                Prefetch(address + line + 2 * block);
                Prefetch(address + line + 3 * block);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(sbyte* address)
    {
        // Fetching beyond the end is allowed: it never faults.
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }

    /// <summary>Where the weights of a later column lie: in a later block, or further on in the same one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Column(int column, long block)
    {
        var row = column * TLanes.Count;
        return row / BlockLayout.Rows * block + row % BlockLayout.Rows * TForm.RowBytes;
    }

    /// <summary>Where the scales of a later column lie.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long ScaleColumn(int column, int groups)
    {
        var row = column * TLanes.Count;
        return (long)(row / BlockLayout.Rows) * BlockLayout.Rows * groups + row % BlockLayout.Rows;
    }

    /// <summary>Where the sum of a group begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSums Begin(int* sum) => TForm.Offset == 0 ? default : TLanes.Sums(-TForm.Offset * *sum);

    /// <summary>Ends a group of one token. The results live in memory, so that the registers are the sums' in the loop over pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accumulate(float* results, TSums sum0, TResults weightScale0, TSums sum1, TResults weightScale1, float* activationScale)
    {
        var scale = TLanes.BroadcastScale(activationScale);
        TLanes.Store(TLanes.Accumulate(TLanes.Load(results), sum0, weightScale0, scale), results);
        TLanes.Store(TLanes.Accumulate(TLanes.Load(results + TLanes.Count), sum1, weightScale1, scale), results + TLanes.Count);
    }
}
