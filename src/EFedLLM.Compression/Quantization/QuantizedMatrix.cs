using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Quantization;

/// <summary>A matrix in signed integers of a few bits with a scale for each group of consecutive inputs of a row: W[o, i] ≈ Scales[o, i / Group] * Weights[o, i].</summary>
/// <param name="Outputs">Rows.</param>
/// <param name="Inputs">Columns that hold weights.</param>
/// <param name="Group">Columns that share a scale.</param>
/// <param name="Weights">[Outputs, PaddedInputs], row-major, in -127 to 127, or of fewer bits than 8 in -2^(Bits - 1) to 2^(Bits - 1) - 1; zero in the columns beyond Inputs.</param>
/// <param name="Scales">[Outputs, PaddedInputs / Group], row-major: bfloat16, not negative, finite.</param>
public sealed record QuantizedMatrix(int Outputs, int Inputs, int Group, sbyte[] Weights, ushort[] Scales)
{
    /// <summary>Bits of a weight: 4, 5, 6 or 8.</summary>
    public int Bits { get; init; } = 8;

    /// <summary>Columns with padding: the least multiple of <see cref="Group"/> that holds the inputs.</summary>
    public int PaddedInputs => (Inputs + Group - 1) / Group * Group;

    /// <summary>Number of scales in a row.</summary>
    public int Groups => PaddedInputs / Group;

    /// <summary>The matrix that these integers stand for, [Outputs, Inputs], row-major.</summary>
    public float[] Dequantize()
    {
        var values = new float[(long)Outputs * Inputs];
        for (var output = 0; output < Outputs; output++)
        {
            for (var input = 0; input < Inputs; input++)
            {
                var scale = BFloat16.ToSingle(Scales[(long)output * Groups + input / Group]);
                values[(long)output * Inputs + input] = scale * Weights[(long)output * PaddedInputs + input];
            }
        }

        return values;
    }
}
