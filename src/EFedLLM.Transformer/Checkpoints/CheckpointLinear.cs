using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A matrix in float32 as the checkpoint has it: the reference that quantised ones are compared with.</summary>
internal sealed class CheckpointLinear : LinearLayer
{
    private const int Lanes = 32;
    private readonly float[] _weights;

    /// <param name="inputs">Width of an input row.</param>
    /// <param name="outputs">Width of an output row.</param>
    /// <param name="weights">[outputs, inputs], row-major.</param>
    /// <param name="bias">[outputs], or null.</param>
    public CheckpointLinear(int inputs, int outputs, float[] weights, float[]? bias)
        : base(inputs, outputs, bias)
    {
        if (weights.Length != (long)inputs * outputs)
        {
            throw new ArgumentException($"There are {weights.Length} weights for {outputs} x {inputs}.", nameof(weights));
        }

        _weights = weights;
    }

    public override long WeightBytes => ((long)_weights.Length + (Bias?.Length ?? 0)) * sizeof(float);

    public override void Apply(ReadOnlySpan<float> x, int rows, Span<float> y, LinearWorkspace workspace, ComputeTeam team)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        if (x.Length != (long)rows * Inputs || y.Length != (long)rows * Outputs)
        {
            throw new ArgumentException($"{rows} rows of {x.Length} inputs and {y.Length} outputs do not fit a matrix of {Outputs} x {Inputs}.", nameof(rows));
        }

        for (var output = 0; output < Outputs; output++)
        {
            var weights = _weights.AsSpan(output * Inputs, Inputs);
            var bias = Bias?[output];
            for (var row = 0; row < rows; row++)
            {
                var sum = Dot(weights, x.Slice(row * Inputs, Inputs));
                y[row * Outputs + output] = bias is { } add ? sum + add : sum;
            }
        }
    }

    /// <summary>32 virtual lanes, element i to lane i mod 32, fused multiply-add, then the tree 16-8-4-2-1: the same bits at every vector width.</summary>
    [SkipLocalsInit]
    internal static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector256<float> first = default, second = default, third = default, fourth = default;
        var i = 0;
        for (; i <= a.Length - Lanes; i += Lanes)
        {
            first = Vector256.FusedMultiplyAdd(Vector256.Create(a[i..]), Vector256.Create(b[i..]), first);
            second = Vector256.FusedMultiplyAdd(Vector256.Create(a[(i + 8)..]), Vector256.Create(b[(i + 8)..]), second);
            third = Vector256.FusedMultiplyAdd(Vector256.Create(a[(i + 16)..]), Vector256.Create(b[(i + 16)..]), third);
            fourth = Vector256.FusedMultiplyAdd(Vector256.Create(a[(i + 24)..]), Vector256.Create(b[(i + 24)..]), fourth);
        }

        Span<float> lanes = stackalloc float[Lanes];
        first.CopyTo(lanes);
        second.CopyTo(lanes[8..]);
        third.CopyTo(lanes[16..]);
        fourth.CopyTo(lanes[24..]);
        for (var lane = 0; i < a.Length; i++, lane++)
        {
            lanes[lane] = MathF.FusedMultiplyAdd(a[i], b[i], lanes[lane]);
        }

        for (var width = Lanes / 2; width > 0; width /= 2)
        {
            for (var lane = 0; lane < width; lane++)
            {
                lanes[lane] += lanes[lane + width];
            }
        }

        return lanes[0];
    }
}
