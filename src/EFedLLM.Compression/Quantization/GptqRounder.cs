using EFedLLM.Compression.Factorization;
using EFedLLM.Transformer.Checkpoints;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Quantization;

/// <summary>
/// Rounds a matrix so that its output changes least on the inputs that S describes: each weight is rounded after those
/// before it in its row, making up for their errors (<see cref="ErrorFeedback"/>). A group's scale, a bfloat16 number,
/// is the one of some two dozen trials, from one that cuts nothing off to one that cuts off the largest weights, with
/// which the rounding of that group ends at the least S-weighted error. Rows do not depend on one another, and the bits
/// neither on the number of threads nor on the vector width.
/// </summary>
public static class GptqRounder
{
    /// <summary>Rounds a matrix.</summary>
    /// <param name="weights">[outputs, inputs], row-major, finite.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="form">8, 6, 5 or 4 bits in groups of 32 or 64.</param>
    /// <param name="feedback">Of S, [inputs, inputs].</param>
    /// <param name="threads">Threads that may take part; the result is the same for any number.</param>
    /// <param name="provider">The linear algebra, or null for this process's.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <exception cref="ArgumentException">The weights, the form and S do not fit together.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static QuantizedMatrix Round(
        ReadOnlyMemory<float> weights,
        int outputs,
        int inputs,
        GroupForm form,
        ErrorFeedback feedback,
        int threads = 1,
        ILinearAlgebraProvider? provider = null,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        ArgumentNullException.ThrowIfNull(form);
        ArgumentNullException.ThrowIfNull(feedback);
        if (form.Group is not (32 or 64))
        {
            throw new ArgumentOutOfRangeException(nameof(form), form.Group, "Groups of 32 and 64 inputs are supported.");
        }

        if (weights.Length != (long)outputs * inputs || feedback.Width != inputs)
        {
            throw new ArgumentException($"{weights.Length} weights and moments of {feedback.Width} inputs do not fit a matrix of {outputs} x {inputs}.", nameof(weights));
        }

        var search = ScaleSearch.Of(form);
        var groups = (inputs + form.Group - 1) / form.Group;
        var matrix = new QuantizedMatrix(outputs, inputs, form.Group, new sbyte[(long)outputs * groups * form.Group], new ushort[(long)outputs * groups]) { Bits = form.Bits };
        var algebra = provider ?? LinearAlgebra.Current.Provider;
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        Parallel.For(
            0,
            (outputs + GptqSlab.Rows - 1) / GptqSlab.Rows,
            options,
            () => new GptqSlab(matrix, search, feedback, algebra),
            (slab, _, worker) =>
            {
                worker.Round(weights, slab * GptqSlab.Rows, cancellation);
                return worker;
            },
            _ => { });
        return matrix;
    }
}
