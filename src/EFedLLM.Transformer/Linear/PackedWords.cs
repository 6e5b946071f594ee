namespace EFedLLM.Transformer.Linear;

/// <summary>
/// Where the bits of a weight of 4, 5 or 6 bits lie. A group of a block of rows is a sequence of words: 16 of four bytes
/// each, one for every row. The lower half of a row's word belongs to the even ones of some inputs, the upper half to
/// the odd ones, so that the two of a pair lie alike. A weight w of b bits is stored as w + 2^(b-1), of which
/// <list type="bullet">
/// <item>a lower word has the lowest four bits for 8 inputs: pair p (0 to 3) in the bits from 4p of each half;</item>
/// <item>an upper word, which goes before the 2 or 4 lower ones it completes, has the others, u = b - 4 of each weight:
/// for pair p of the q-th of the lower words in the bits from 8 (p / 2) + 8 - u (2q + p mod 2 + 1) of each half.</item>
/// </list>
/// So a mask leaves the pairs 0 and 2 in the two bytes of each half, a shift and the mask the pairs 1 and 3, and the
/// upper bits join both by the same steps for every lower word, the upper word being shifted by 2u from one to the next.
/// </summary>
internal static class PackedWords
{
    /// <summary>Inputs of a lower word.</summary>
    public const int Inputs = 8;

    /// <summary>Bytes of the 16 rows' words.</summary>
    public const int Bytes = BlockLayout.Rows * sizeof(uint);

    private const int LowerBits = 4;

    /// <summary>What is added to a weight to store it, 2^(bits - 1).</summary>
    public static int Offset(int bits) => 1 << (bits - 1);

    /// <summary>Stores a weight where all bits are 0 so far.</summary>
    /// <param name="group">A group of a block of rows.</param>
    /// <param name="row">Row of the block.</param>
    /// <param name="input">Input of the group.</param>
    /// <param name="bits">Bits of a weight: 4, 5 or 6.</param>
    /// <param name="weight">The weight, which has no more bits.</param>
    public static void Write(Span<sbyte> group, int row, int input, int bits, int weight)
    {
        var place = Place.Of(row, input, bits - LowerBits);
        var stored = weight + Offset(bits);
        group[place.LowerByte] |= (sbyte)((stored & 15) << place.LowerShift);
        if (bits > LowerBits)
        {
            group[place.UpperByte] |= (sbyte)(stored >> LowerBits << place.UpperShift);
        }
    }

    /// <summary>The inverse of <see cref="Write"/>.</summary>
    public static int Read(ReadOnlySpan<sbyte> group, int row, int input, int bits)
    {
        var place = Place.Of(row, input, bits - LowerBits);
        var stored = (group[place.LowerByte] >> place.LowerShift) & 15;
        if (bits > LowerBits)
        {
            stored |= ((group[place.UpperByte] >> place.UpperShift) & ((1 << (bits - LowerBits)) - 1)) << LowerBits;
        }

        return stored - Offset(bits);
    }

    private readonly record struct Place(int LowerByte, int LowerShift, int UpperByte, int UpperShift)
    {
        public static Place Of(int row, int input, int upperBits)
        {
            var (lower, upper, position) = (input / Inputs, 0, 0);
            if (upperBits > 0)
            {
                var run = 4 / upperBits;
                position = lower % run;
                upper = lower / run * (run + 1);
                lower = upper + 1 + position;
            }

            var pair = input % Inputs / 2;
            var inWord = row * sizeof(uint) + input % 2 * sizeof(ushort) + pair / 2;
            return new(lower * Bytes + inWord, pair % 2 * 4, upper * Bytes + inWord, 8 - upperBits * (2 * position + pair % 2 + 1));
        }
    }
}
