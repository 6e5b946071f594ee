using EFedLLM.Compression.Factorization;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>Brings the matrices of one place, which share an input, into their forms.</summary>
internal static class CalibratedMatrix
{
    /// <summary>
    /// Rounds the bases; where there are branches, factors what the roundings left, all of it at once, so that the
    /// matrices share one V, rounds U, refits V to what U has become, and rounds V.
    /// </summary>
    /// <param name="weights">Of each matrix, [outputs, inputs], row-major.</param>
    /// <param name="forms">Of each matrix: a base, and either none has a branch or all have one of the same rank.</param>
    /// <param name="moment">S of the place, [inputs, inputs].</param>
    /// <param name="feedback">Of S.</param>
    /// <param name="context">Threads and clock.</param>
    public static MatrixCompressor.Parts[] Compress(
        IReadOnlyList<float[]> weights, IReadOnlyList<MatrixForm> forms, double[] moment, ErrorFeedback feedback, CalibrationContext context)
    {
        var bases = context.Clock.Run(Stage.Rounding, () => forms.Select((form, index) => GptqRounder.Round(
            weights[index], form.Outputs, form.Inputs, form.Base!, feedback, context.Threads, null, context.Cancellation)).ToArray());
        if (forms[0].Rank == 0)
        {
            return [.. bases.Select(rounded => new MatrixCompressor.Parts(rounded, null, null))];
        }

        var (u, v) = context.Clock.Run(Stage.Factorisation, () => Factor(weights, bases, forms, moment, feedback, context));
        return [.. bases.Zip(u, (rounded, factor) => new MatrixCompressor.Parts(rounded, factor, v))];
    }

    /// <summary>The factors of what the bases leave: a U for each, and the V that they share.</summary>
    private static (QuantizedMatrix[] U, QuantizedMatrix V) Factor(
        IReadOnlyList<float[]> weights, QuantizedMatrix[] bases, IReadOnlyList<MatrixForm> forms, double[] moment, ErrorFeedback feedback, CalibrationContext context)
    {
        var (rank, inputs, form) = (forms[0].Rank, forms[0].Inputs, forms[0].Factors!);
        var outputs = forms.Sum(matrix => matrix.Outputs);
        var residual = new double[(long)outputs * inputs];
        var at = 0;
        for (var index = 0; index < bases.Length; index++)
        {
            Residual.Of(weights[index], bases[index]).CopyTo(residual, at);
            at += weights[index].Length;
        }

        var branch = ResidualBranch.Of(residual, outputs, moment, inputs, rank);
        var (factors, rounded) = (new QuantizedMatrix[bases.Length], new double[(long)outputs * rank]);
        for (var (index, row) = (0, 0); index < bases.Length; row += bases[index++].Outputs)
        {
            factors[index] = GroupQuantizer.Quantize(Rows(branch, row, bases[index].Outputs), bases[index].Outputs, rank, form.Group, context.Threads, context.Cancellation);
            Put(factors[index], rounded, row, outputs);
        }

        // V's rows are the inputs of U: the layout fills them up to whole groups, with zeros.
        var padded = ManifestLayout.RoundUp(rank, form.Group);
        var v = new float[(long)padded * inputs];
        var refitted = ResidualBranch.Refit(rounded, residual, outputs, inputs);
        for (var i = 0; i < refitted.Length; i++)
        {
            v[i] = (float)refitted[i];
        }

        return (factors, GptqRounder.Round(v, padded, inputs, form, feedback, context.Threads, null, context.Cancellation));
    }

    /// <summary>Some rows of the basis, [rows, rank], row-major.</summary>
    private static float[] Rows(ResidualBranch branch, int first, int rows)
    {
        var result = new float[rows * branch.Rank];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = (float)branch.Basis[(long)(i % branch.Rank) * branch.Outputs + first + i / branch.Rank];
        }

        return result;
    }

    private static void Put(QuantizedMatrix factor, double[] all, int first, int outputs)
    {
        for (var row = 0; row < factor.Outputs; row++)
        {
            for (var column = 0; column < factor.Inputs; column++)
            {
                var scale = (double)BFloat16.ToSingle(factor.Scales[row * factor.Groups + column / factor.Group]);
                all[(long)column * outputs + first + row] = scale * factor.Weights[row * factor.PaddedInputs + column];
            }
        }
    }
}
