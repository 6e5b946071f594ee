using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// The order of a served matrix in memory: weights [blocks, groups, group/2, 16, 2] and scales [blocks, groups, 16].
/// Sixteen rows lie interleaved, so that one SIMD lane computes one output; two neighbouring inputs lie together, so
/// that one multiply-add instruction takes both. Weights of fewer than 8 bits lie in words of four bytes,
/// [blocks, groups, group * bits / 32, 16, 4] (<see cref="PackedWords"/>), likewise one SIMD lane for one row; every
/// pattern of bits is a weight. Rows and inputs are filled up with weights of zero.
/// </summary>
public static class BlockLayout
{
    /// <summary>Rows that are interleaved.</summary>
    public const int Rows = ManifestLayout.RowBlock;

    /// <summary>Number of row blocks of a matrix.</summary>
    public static int Blocks(int outputs) => ManifestLayout.RoundUp(outputs, Rows) / Rows;

    /// <summary>Number of groups in a row.</summary>
    public static int Groups(int inputs, int group) => ManifestLayout.RoundUp(inputs, group) / group;

    /// <summary>Bytes of the weights of a matrix, padding included.</summary>
    public static long WeightBytes(int outputs, int inputs, int group, int bits) => Blocks(outputs) * (long)Groups(inputs, group) * GroupBytes(group, bits);

    /// <summary>Number of scales of a matrix, padding included.</summary>
    public static long ScaleCount(int outputs, int inputs, int group) => (long)Blocks(outputs) * Rows * Groups(inputs, group);

    /// <summary>Brings the weights of whole row blocks into the order.</summary>
    /// <param name="rowMajor">[outputs, inputs]; of 4, 5 and 6 bits in -2^(bits - 1) to 2^(bits - 1) - 1.</param>
    /// <param name="outputs">Rows: all of a matrix, or some blocks of it.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="group">Inputs that share a scale, 32 or 64.</param>
    /// <param name="bits">Bits of a weight: 4, 5, 6 or 8.</param>
    /// <param name="destination">[<see cref="WeightBytes"/>], overwritten.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions, or a weight has more bits.</exception>
    public static void Pack(ReadOnlySpan<sbyte> rowMajor, int outputs, int inputs, int group, int bits, Span<sbyte> destination)
    {
        CheckForm(group, bits);
        CheckLength(rowMajor.Length, (long)outputs * inputs, nameof(rowMajor));
        CheckLength(destination.Length, WeightBytes(outputs, inputs, group, bits), nameof(destination));
        CheckWeights(rowMajor, bits);
        destination.Clear();
        var (groups, groupBytes) = (Groups(inputs, group), GroupBytes(group, bits));
        for (var row = 0; row < Blocks(outputs) * Rows; row++)
        {
            var source = row < outputs ? rowMajor.Slice(row * inputs, inputs) : [];
            for (var index = 0; index < groups; index++)
            {
                var values = source[Math.Min(index * group, source.Length)..Math.Min((index + 1) * group, source.Length)];
                PackRow(values, destination.Slice((row / Rows * groups + index) * groupBytes, groupBytes), row % Rows, group, bits);
            }
        }
    }

    /// <summary>The inverse of <see cref="Pack"/>.</summary>
    /// <param name="packed">[<see cref="WeightBytes"/>].</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="group">Inputs that share a scale, 32 or 64.</param>
    /// <param name="bits">Bits of a weight: 4, 5, 6 or 8.</param>
    /// <param name="rowMajor">[outputs, inputs], overwritten.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions.</exception>
    public static void Unpack(ReadOnlySpan<sbyte> packed, int outputs, int inputs, int group, int bits, Span<sbyte> rowMajor)
    {
        CheckForm(group, bits);
        CheckLength(packed.Length, WeightBytes(outputs, inputs, group, bits), nameof(packed));
        CheckLength(rowMajor.Length, (long)outputs * inputs, nameof(rowMajor));
        var (groups, groupBytes) = (Groups(inputs, group), GroupBytes(group, bits));
        for (var row = 0; row < outputs; row++)
        {
            for (var input = 0; input < inputs; input++)
            {
                var source = packed.Slice((row / Rows * groups + input / group) * groupBytes, groupBytes);
                rowMajor[row * inputs + input] = bits == 8
                    ? source[PlaceOfByte(row % Rows, input % group)]
                    : (sbyte)PackedWords.Read(source, row % Rows, input % group, bits);
            }
        }
    }

    /// <summary>Brings the scales of whole row blocks into the order.</summary>
    /// <param name="rowMajor">[outputs, groups], as bfloat16 (<see cref="BFloat16"/>).</param>
    /// <param name="outputs">Rows: all of a matrix, or some blocks of it.</param>
    /// <param name="groups">Groups in a row.</param>
    /// <param name="destination">[blocks, groups, 16], overwritten.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions.</exception>
    public static void PackScales(ReadOnlySpan<ushort> rowMajor, int outputs, int groups, Span<ushort> destination)
    {
        CheckLength(rowMajor.Length, (long)outputs * groups, nameof(rowMajor));
        CheckLength(destination.Length, (long)Blocks(outputs) * Rows * groups, nameof(destination));
        destination.Clear();
        for (var row = 0; row < outputs; row++)
        {
            for (var group = 0; group < groups; group++)
            {
                destination[(row / Rows * groups + group) * Rows + row % Rows] = rowMajor[row * groups + group];
            }
        }
    }

    /// <summary>The inverse of <see cref="PackScales"/>.</summary>
    /// <param name="packed">[blocks, groups, 16].</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="groups">Groups in a row.</param>
    /// <param name="rowMajor">[outputs, groups], overwritten.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions.</exception>
    public static void UnpackScales(ReadOnlySpan<ushort> packed, int outputs, int groups, Span<ushort> rowMajor)
    {
        CheckLength(packed.Length, (long)Blocks(outputs) * Rows * groups, nameof(packed));
        CheckLength(rowMajor.Length, (long)outputs * groups, nameof(rowMajor));
        for (var row = 0; row < outputs; row++)
        {
            for (var group = 0; group < groups; group++)
            {
                rowMajor[row * groups + group] = packed[(row / Rows * groups + group) * Rows + row % Rows];
            }
        }
    }

    /// <summary>Bytes of a group of weights of a block of rows.</summary>
    internal static int GroupBytes(int group, int bits) => Rows * group * bits / 8;

    internal static void CheckForm(int group, int bits)
    {
        if (group is not (32 or 64))
        {
            throw new ArgumentOutOfRangeException(nameof(group), group, "Groups of 32 or 64 inputs share a scale.");
        }

        if (bits is not (4 or 5 or 6 or 8))
        {
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "A weight has 4, 5, 6 or 8 bits.");
        }
    }

    private static void PackRow(ReadOnlySpan<sbyte> values, Span<sbyte> block, int row, int group, int bits)
    {
        for (var input = 0; input < group; input++)
        {
            var weight = input < values.Length ? values[input] : (sbyte)0;
            if (bits == 8)
            {
                block[PlaceOfByte(row, input)] = weight;
            }
            else
            {
                PackedWords.Write(block, row, input, bits, weight);
            }
        }
    }

    /// <summary>Where a weight of 8 bits lies in a group of a block of rows.</summary>
    private static int PlaceOfByte(int row, int input) => input / 2 * (2 * Rows) + row * 2 + input % 2;

    private static void CheckWeights(ReadOnlySpan<sbyte> weights, int bits)
    {
        var (least, most) = ((sbyte)-(1 << (bits - 1)), (sbyte)((1 << (bits - 1)) - 1));
        var at = weights.IndexOfAnyExceptInRange(least, most);
        if (at >= 0)
        {
            throw new ArgumentException($"The weight {weights[at]} at {at} is not in {least} to {most}: it has more than {bits} bits.", nameof(weights));
        }
    }

    private static void CheckLength(int length, long expected, string name)
    {
        if (length != expected)
        {
            throw new ArgumentException($"There are {length} values where the dimensions take {expected}.", name);
        }
    }
}
