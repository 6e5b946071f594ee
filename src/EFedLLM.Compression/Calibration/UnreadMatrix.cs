using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>
/// Stands for a matrix whose inputs an observer sees and whose outputs nobody reads: it gives zeros, for the
/// multiplication would be a quarter of a layer's work.
/// </summary>
internal sealed class UnreadMatrix : LinearLayer
{
    /// <param name="matrix">The matrix that it stands for.</param>
    private UnreadMatrix(LinearLayer matrix)
        : base(matrix.Inputs, matrix.Outputs, null)
    {
    }

    public override long WeightBytes => 0;

    /// <summary>A layer whose last matrix is unread.</summary>
    public static LayerWeights Last(LayerWeights layer)
    {
        var matrices = LayerMatrices.Of(layer);
        return LayerMatrices.With(layer, matrices.Length - 1, new UnreadMatrix(matrices[^1]));
    }

    /// <summary>A head whose matrix is unread.</summary>
    public static HeadWeights Head(HeadWeights head) => new(head.Norm, new UnreadMatrix(head.Projection));

    public override void Apply(LinearInput input, Span<float> y, ComputeTeam team)
    {
        CheckLengths(input, y);
        y.Clear();
    }
}
