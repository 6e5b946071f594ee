using System.Runtime.CompilerServices;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Kernels;

/// <summary>Weights of 8 bits: a pair is loaded and widened, and nothing else.</summary>
internal readonly unsafe struct ByteForm<TLanes, TPairs, TSums, TResults> : IWeightForm<TPairs>
    where TLanes : struct, IDotLanes<TPairs, TSums, TResults>
    where TPairs : struct
    where TSums : struct
    where TResults : struct
{
    private const int PairBytes = 2 * BlockLayout.Rows;

    public static int RowBytes => 2;

    public static int StepBytes => 4 * PairBytes;

    public static int UpperBytes => 0;

    public static int Offset => 0;

    public static int RunSteps(int group) => group / PackedWords.Inputs;

    public static TPairs LoadUpper(sbyte* run) => default;

    public static TPairs NextUpper(TPairs upper) => upper;

    public static TPairs LoadLower(sbyte* step) => default;

    public static TPairs Even(TPairs lower, TPairs upper) => default;

    public static TPairs Odd(TPairs lower, TPairs upper) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TPairs Pair(int index, sbyte* step, TPairs even, TPairs odd) => TLanes.LoadWeights(step + index * PairBytes);
}
