using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>A matrix whose inputs are taken into a moment before it computes.</summary>
/// <param name="inner">The matrix.</param>
/// <param name="moment">Takes its inputs in.</param>
internal sealed class ObservedLinear(LinearLayer inner, SecondMoment moment) : LinearLayer(inner.Inputs, inner.Outputs, inner.Bias)
{
    public override long WeightBytes => inner.WeightBytes;

    public override void Apply(ReadOnlySpan<float> x, int rows, Span<float> y, LinearWorkspace workspace, ComputeTeam team)
    {
        moment.Add(x);
        inner.Apply(x, rows, y, workspace, team);
    }
}
