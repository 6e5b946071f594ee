using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Quantization;

/// <summary>What rounding left.</summary>
internal static class Residual
{
    /// <summary>W - B, [outputs, inputs], row-major, in float64.</summary>
    public static double[] Of(ReadOnlySpan<float> weights, QuantizedMatrix rounded)
    {
        var residual = new double[weights.Length];
        for (var row = 0; row < rounded.Outputs; row++)
        {
            for (var column = 0; column < rounded.Inputs; column++)
            {
                var at = row * rounded.Inputs + column;
                var scale = (double)BFloat16.ToSingle(rounded.Scales[row * rounded.Groups + column / rounded.Group]);
                residual[at] = weights[at] - scale * rounded.Weights[row * rounded.PaddedInputs + column];
            }
        }

        return residual;
    }
}
