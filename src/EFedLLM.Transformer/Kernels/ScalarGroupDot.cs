using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Kernels;

/// <summary>The definition of <see cref="GroupDot"/> in plain words.</summary>
internal static unsafe class ScalarGroupDot
{
    /// <inheritdoc cref="GroupDot.Add"/>
    public static void Add(in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, int tokens, float* results)
    {
        for (var token = 0; token < tokens; token++)
        {
            for (var row = 0; row < rows; row++)
            {
                var weightScales = matrix.ScalesOf(firstRow + row);
                var values = activations.ValuesOf(firstToken + token);
                var scales = activations.ScalesOf(firstToken + token);
                var result = results[token * rows + row];
                for (var group = 0; group < matrix.Groups; group++)
                {
                    var sum = SumOf(matrix, firstRow + row, group, values + group * matrix.Group);
                    var scale = BFloat16.ToSingle(weightScales[group * BlockLayout.Rows]) * scales[group];
                    result = MathF.FusedMultiplyAdd(sum, scale, result);
                }

                results[token * rows + row] = result;
            }
        }
    }

    private static int SumOf(in WeightBlocks matrix, int row, int group, short* values)
    {
        var sum = 0;
        if (matrix.Bits == 8)
        {
            var weights = matrix.WeightsOf(row) + group * matrix.GroupBytes;
            for (var pair = 0; pair < matrix.Group / 2; pair++, weights += 2 * BlockLayout.Rows, values += 2)
            {
                sum += weights[0] * values[0] + weights[1] * values[1];
            }

            return sum;
        }

        var block = new ReadOnlySpan<sbyte>(matrix.WeightsOf(row / BlockLayout.Rows * BlockLayout.Rows) + group * matrix.GroupBytes, matrix.GroupBytes);
        for (var input = 0; input < matrix.Group; input++)
        {
            sum += PackedWords.Read(block, row % BlockLayout.Rows, input, matrix.Bits) * values[input];
        }

        return sum;
    }
}
