using System.Runtime.CompilerServices;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// Weights of 4, 5 and 6 bits as <see cref="PackedWords"/> lays them out, with their offset: of 4 bits six operations a
/// lower word; of more three for the word, four to six for its upper bits, and one for each pair.
/// </summary>
internal readonly unsafe struct WordForm<TBits, TLanes, TPairs, TSums, TResults> : IWeightForm<TPairs>
    where TBits : struct, IWeightBits
    where TLanes : struct, IDotLanes<TPairs, TSums, TResults>
    where TPairs : struct
    where TSums : struct
    where TResults : struct
{
    /// <summary>The lowest four bits of both bytes of a half.</summary>
    private const short Lower = 0x0F0F;

    /// <summary>The first byte of a half.</summary>
    private const short First = 0x00FF;

    /// <summary>The lowest four bits of a half.</summary>
    private const short Lowest = 0x000F;

    public static int RowBytes => sizeof(uint);

    public static int StepBytes => PackedWords.Bytes;

    public static int UpperBytes => UpperBits == 0 ? 0 : PackedWords.Bytes;

    public static int Offset => PackedWords.Offset(TBits.Count);

    /// <summary>Bits of a weight in the upper word.</summary>
    private static int UpperBits => TBits.Count - 4;

    /// <summary>The upper bits of both bytes of a half, where they join the lower ones.</summary>
    private static short Upper => (short)(((1 << UpperBits) - 1) * 0x1010);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int RunSteps(int group) => UpperBits == 0 ? group / PackedWords.Inputs : 4 / UpperBits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TPairs LoadUpper(sbyte* run) => UpperBits == 0 ? default : TLanes.LoadWords(run);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TPairs NextUpper(TPairs upper) => UpperBits == 0 ? upper : TLanes.ShiftLeft(upper, 2 * UpperBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TPairs LoadLower(sbyte* step) => TLanes.LoadWords(step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TPairs Even(TPairs lower, TPairs upper)
    {
        if (UpperBits == 0)
        {
            return lower;
        }

        var bits = TLanes.And(lower, TLanes.Repeat(Lower));
        return TLanes.Or(bits, TLanes.And(TLanes.ShiftRight(upper, 4 - UpperBits), TLanes.Repeat(Upper)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TPairs Odd(TPairs lower, TPairs upper)
    {
        if (UpperBits == 0)
        {
            return lower;
        }

        var bits = TLanes.And(TLanes.ShiftRight(lower, 4), TLanes.Repeat(Lower));
        return UpperBits switch
        {
            1 => TLanes.Or(bits, TLanes.And(TLanes.ShiftRight(upper, 2), TLanes.Repeat(Upper))),
            _ => TLanes.Or(bits, TLanes.And(upper, TLanes.Repeat(Upper))),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TPairs Pair(int index, sbyte* step, TPairs even, TPairs odd)
    {
        if (UpperBits == 0)
        {
            // Alone, the four bits of a pair take two operations at most.
            var bits = index == 0 ? even : TLanes.ShiftRight(even, 4 * index);
            return index == 3 ? bits : TLanes.And(bits, TLanes.Repeat(Lowest));
        }

        var both = index % 2 == 0 ? even : odd;
        return index < 2 ? TLanes.And(both, TLanes.Repeat(First)) : TLanes.ShiftRight(both, 8);
    }
}
