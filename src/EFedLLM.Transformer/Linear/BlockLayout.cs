using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// The order of a served matrix in memory: weights [blocks, groups, group/2, 16, 2] and scales [blocks, groups, 16].
/// Sixteen rows lie interleaved, so that one SIMD lane computes one output; two neighbouring inputs lie together, so
/// that one multiply-add instruction takes both. Rows and inputs are filled up with zeros.
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
    public static long WeightBytes(int outputs, int inputs, int group) => (long)Blocks(outputs) * Rows * Groups(inputs, group) * group;

    /// <summary>Number of scales of a matrix, padding included.</summary>
    public static long ScaleCount(int outputs, int inputs, int group) => (long)Blocks(outputs) * Rows * Groups(inputs, group);

    /// <summary>Brings the weights of whole row blocks into the order.</summary>
    /// <param name="rowMajor">[outputs, inputs].</param>
    /// <param name="outputs">Rows: all of a matrix, or some blocks of it.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="group">Inputs that share a scale, 32 or 64.</param>
    /// <param name="destination">[<see cref="WeightBytes"/>], overwritten.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions.</exception>
    public static void Pack(ReadOnlySpan<sbyte> rowMajor, int outputs, int inputs, int group, Span<sbyte> destination)
    {
        CheckGroup(group);
        CheckLength(rowMajor.Length, (long)outputs * inputs, nameof(rowMajor));
        CheckLength(destination.Length, WeightBytes(outputs, inputs, group), nameof(destination));
        destination.Clear();
        var blockLength = Groups(inputs, group) * group * Rows;
        for (var row = 0; row < outputs; row++)
        {
            var source = rowMajor.Slice(row * inputs, inputs);
            var block = destination.Slice(row / Rows * blockLength, blockLength);
            var lane = row % Rows * 2;
            for (var input = 0; input < inputs; input++)
            {
                block[input / 2 * (2 * Rows) + lane + input % 2] = source[input];
            }
        }
    }

    /// <summary>The inverse of <see cref="Pack"/>.</summary>
    /// <param name="packed">[<see cref="WeightBytes"/>].</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="group">Inputs that share a scale, 32 or 64.</param>
    /// <param name="rowMajor">[outputs, inputs], overwritten.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions.</exception>
    public static void Unpack(ReadOnlySpan<sbyte> packed, int outputs, int inputs, int group, Span<sbyte> rowMajor)
    {
        CheckGroup(group);
        CheckLength(packed.Length, WeightBytes(outputs, inputs, group), nameof(packed));
        CheckLength(rowMajor.Length, (long)outputs * inputs, nameof(rowMajor));
        var blockLength = Groups(inputs, group) * group * Rows;
        for (var row = 0; row < outputs; row++)
        {
            var destination = rowMajor.Slice(row * inputs, inputs);
            var block = packed.Slice(row / Rows * blockLength, blockLength);
            var lane = row % Rows * 2;
            for (var input = 0; input < inputs; input++)
            {
                destination[input] = block[input / 2 * (2 * Rows) + lane + input % 2];
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

    internal static void CheckGroup(int group)
    {
        if (group is not (32 or 64))
        {
            throw new ArgumentOutOfRangeException(nameof(group), group, "Groups of 32 or 64 inputs share a scale.");
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
