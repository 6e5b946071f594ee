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
                var weights = matrix.WeightsOf(firstRow + row);
                var weightScales = matrix.ScalesOf(firstRow + row);
                var values = activations.ValuesOf(firstToken + token);
                var scales = activations.ScalesOf(firstToken + token);
                var result = results[token * rows + row];
                for (var group = 0; group < matrix.Groups; group++)
                {
                    var sum = 0;
                    for (var pair = 0; pair < matrix.Group / 2; pair++, weights += 2 * BlockLayout.Rows, values += 2)
                    {
                        sum += weights[0] * values[0] + weights[1] * values[1];
                    }

                    var scale = BFloat16.ToSingle(weightScales[group * BlockLayout.Rows]) * scales[group];
                    result = MathF.FusedMultiplyAdd(sum, scale, result);
                }

                results[token * rows + row] = result;
            }
        }
    }
}
