using EFedLLM.Compression.Factorization;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>Brings one matrix into its form.</summary>
internal static class MatrixCompressor
{
    /// <summary>The parts of a matrix that are stored: a base, or the factors U and V.</summary>
    public readonly record struct Parts(QuantizedMatrix? Base, QuantizedMatrix? U, QuantizedMatrix? V);

    /// <param name="weights">[outputs, inputs], row-major.</param>
    /// <param name="form">The form: a base or factors.</param>
    /// <param name="threads">Threads that may take part.</param>
    /// <param name="cancellation">Ends the work early.</param>
    public static Parts Compress(float[] weights, MatrixForm form, int threads, CancellationToken cancellation)
    {
        if (form.Base is { } plain)
        {
            return new(GroupQuantizer.Quantize(weights, form.Outputs, form.Inputs, plain.Group, threads, cancellation), null, null);
        }

        var group = form.Factors!.Group;
        var factors = TruncatedSvd.Compute(weights, form.Outputs, form.Inputs, form.Rank);
        cancellation.ThrowIfCancellationRequested();

        // V's rows are the inputs of U: the layout fills them up to whole groups, with zeros.
        var rank = ManifestLayout.RoundUp(form.Rank, group);
        var v = new float[(long)rank * form.Inputs];
        factors.V.CopyTo(v, 0);
        return new(
            null,
            GroupQuantizer.Quantize(factors.U, form.Outputs, form.Rank, group, threads, cancellation),
            GroupQuantizer.Quantize(v, rank, form.Inputs, group, threads, cancellation));
    }
}
