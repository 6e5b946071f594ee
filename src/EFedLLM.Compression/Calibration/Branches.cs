using EFedLLM.Compression.Factorization;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>
/// The low-rank branches of the matrices of one place: what their bases left is decomposed all at once, so that they
/// share one V, U is rounded, V refitted to what U has become, and then rounded too.
/// </summary>
internal sealed class Branches
{
    private readonly double[] _residual; // [outputs of all, inputs], row-major
    private readonly int[] _outputs;
    private readonly int _inputs;
    private readonly ErrorFeedback _feedback;
    private readonly ResidualBranch _branch;

    /// <summary>Decomposes what the bases left.</summary>
    /// <param name="weights">Of each matrix, [outputs, inputs], row-major.</param>
    /// <param name="bases">Of each matrix.</param>
    /// <param name="moment">S of the place, [inputs, inputs].</param>
    /// <param name="feedback">Of S.</param>
    /// <param name="most">The largest rank that will be asked for.</param>
    public Branches(IReadOnlyList<float[]> weights, IReadOnlyList<QuantizedMatrix> bases, double[] moment, ErrorFeedback feedback, int most)
    {
        (_outputs, _inputs, _feedback) = ([.. bases.Select(rounded => rounded.Outputs)], bases[0].Inputs, feedback);
        _residual = new double[weights.Sum(matrix => matrix.LongLength)];
        var at = 0;
        for (var index = 0; index < bases.Count; index++)
        {
            Residual.Of(weights[index], bases[index]).CopyTo(_residual, at);
            at += weights[index].Length;
        }

        _branch = ResidualBranch.Of(_residual, _outputs.Sum(), moment, _inputs, Math.Min(most, Math.Min(_outputs.Sum(), _inputs)));
    }

    /// <summary>The factors of some rank: a U for each matrix, and the V that they share.</summary>
    /// <param name="rank">At most the largest rank that was named.</param>
    /// <param name="form">The form of U and V.</param>
    /// <param name="context">Threads.</param>
    public (QuantizedMatrix[] U, QuantizedMatrix V) Factors(int rank, GroupForm form, CalibrationContext context)
    {
        var all = _outputs.Sum();
        var (u, rounded) = (new QuantizedMatrix[_outputs.Length], new double[(long)all * rank]);
        for (var (index, row) = (0, 0); index < u.Length; row += _outputs[index++])
        {
            u[index] = GroupQuantizer.Quantize(Rows(row, _outputs[index], rank), _outputs[index], rank, form.Group, context.Threads, context.Cancellation);
            for (var i = 0; i < _outputs[index]; i++)
            {
                for (var k = 0; k < rank; k++)
                {
                    rounded[(long)k * all + row + i] = ValueOf(u[index], i, k);
                }
            }
        }

        // V's rows are the inputs of U: the layout fills them up to whole groups, with zeros.
        var padded = ManifestLayout.RoundUp(rank, form.Group);
        var v = new float[(long)padded * _inputs];
        var refitted = ResidualBranch.Refit(rounded, _residual, all, _inputs);
        for (var i = 0; i < refitted.Length; i++)
        {
            v[i] = (float)refitted[i];
        }

        return (u, GptqRounder.Round(v, padded, _inputs, form, _feedback, context.Threads, null, context.Cancellation));
    }

    /// <summary>E|(R - U·V)·x|² of each matrix.</summary>
    public double[] Errors(IReadOnlyList<QuantizedMatrix> u, QuantizedMatrix v, int rank, double[] moment)
    {
        var errors = new double[_outputs.Length];
        for (var (index, row) = (0, 0); index < errors.Length; row += _outputs[index++])
        {
            var left = _residual.AsSpan(row * _inputs, _outputs[index] * _inputs).ToArray();
            for (var i = 0; i < _outputs[index]; i++)
            {
                for (var k = 0; k < rank; k++)
                {
                    var factor = ValueOf(u[index], i, k);
                    for (var j = 0; j < _inputs && factor != 0; j++)
                    {
                        left[i * _inputs + j] -= factor * ValueOf(v, k, j);
                    }
                }
            }

            errors[index] = OutputError.Of(left, _outputs[index], moment, _inputs);
        }

        return errors;
    }

    private static double ValueOf(QuantizedMatrix matrix, int row, int column) =>
        (double)BFloat16.ToSingle(matrix.Scales[row * matrix.Groups + column / matrix.Group]) * matrix.Weights[row * matrix.PaddedInputs + column];

    /// <summary>Some rows of the basis, [rows, rank], row-major.</summary>
    private float[] Rows(int first, int rows, int rank)
    {
        var result = new float[rows * rank];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = (float)_branch.Basis[(long)(i % rank) * _branch.Outputs + first + i / rank];
        }

        return result;
    }
}
