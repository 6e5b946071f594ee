using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>A compressed matrix as it will be served, so that what follows it sees what it will see.</summary>
internal static class ServedMatrix
{
    /// <summary>The matrix of some parts.</summary>
    /// <param name="parts">A base, factors or both.</param>
    /// <param name="bias">[outputs], or null.</param>
    public static FactoredLinear Of(MatrixCompressor.Parts parts, float[]? bias)
    {
        var (inputs, outputs) = ((parts.Base ?? parts.V)!.Inputs, (parts.Base ?? parts.U)!.Outputs);
        return new FactoredLinear(inputs, outputs, Pack(parts.Base), Pack(parts.V), Pack(parts.U), bias);
    }

    private static BlockMatrix? Pack(QuantizedMatrix? matrix)
    {
        if (matrix is null)
        {
            return null;
        }

        // Eight bits hold fewer as well, and give the same product: what is packed tighter would only be read slower here.
        const int Bits = 8;
        var weights = new sbyte[BlockLayout.WeightBytes(matrix.Outputs, matrix.PaddedInputs, matrix.Group, Bits)];
        var scales = new ushort[BlockLayout.ScaleCount(matrix.Outputs, matrix.PaddedInputs, matrix.Group)];
        BlockLayout.Pack(matrix.Weights, matrix.Outputs, matrix.PaddedInputs, matrix.Group, Bits, weights);
        BlockLayout.PackScales(matrix.Scales, matrix.Outputs, matrix.Groups, scales);
        return new BlockMatrix(matrix.Outputs, matrix.Inputs, matrix.Group, Bits, weights, scales);
    }
}
