using System.Numerics;
using System.Runtime.InteropServices;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Actors.Layers;

/// <summary>A matrix of float32 weights that sums in whatever order is convenient: what a saboteur computes with instead of the model's.</summary>
internal sealed class PlainLinear : LinearLayer
{
    // Columns that are read out of a matrix at a time.
    private const int Columns = 64;

    private readonly float[] _weights;

    /// <summary>One of weights.</summary>
    /// <param name="inputs">Width of an input row.</param>
    /// <param name="outputs">Width of an output row.</param>
    /// <param name="weights">[outputs, inputs].</param>
    /// <param name="bias">[outputs], or null.</param>
    public PlainLinear(int inputs, int outputs, float[] weights, float[]? bias)
        : base(inputs, outputs, bias) => _weights = weights;

    /// <inheritdoc/>
    public override long WeightBytes => ((long)_weights.Length + (Bias?.Length ?? 0)) * sizeof(float);

    /// <summary>The weights of any matrix, [outputs, inputs], as its products with unit vectors show them.</summary>
    public static float[] WeightsOf(LinearLayer matrix)
    {
        var (inputs, outputs) = (matrix.Inputs, matrix.Outputs);
        var (x, y, weights) = (new float[Columns * inputs], new float[Columns * outputs], new float[outputs * inputs]);
        var workspace = new LinearWorkspace();
        using var team = new ComputeTeam(1);
        for (var first = 0; first < inputs; first += Columns)
        {
            var columns = Math.Min(Columns, inputs - first);
            Array.Clear(x);
            for (var column = 0; column < columns; column++)
            {
                x[(column * inputs) + first + column] = 1;
            }

            matrix.Apply(x.AsSpan(0, columns * inputs), columns, y.AsSpan(0, columns * outputs), workspace, team);
            for (var column = 0; column < columns; column++)
            {
                for (var output = 0; output < outputs; output++)
                {
                    weights[(output * inputs) + first + column] = y[(column * outputs) + output] - (matrix.Bias?[output] ?? 0);
                }
            }
        }

        return weights;
    }

    /// <inheritdoc/>
    public override void Apply(LinearInput input, Span<float> y, ComputeTeam team)
    {
        CheckLengths(input, y);
        for (var row = 0; row < input.Rows; row++)
        {
            var x = input.X.Slice(row * Inputs, Inputs);
            var vectors = MemoryMarshal.Cast<float, Vector<float>>(x);
            for (var output = 0; output < Outputs; output++)
            {
                var weights = _weights.AsSpan(output * Inputs, Inputs);
                var rows = MemoryMarshal.Cast<float, Vector<float>>(weights);
                var sum = Vector<float>.Zero;
                for (var i = 0; i < vectors.Length; i++)
                {
                    sum += vectors[i] * rows[i];
                }

                var total = Vector.Sum(sum);
                for (var i = vectors.Length * Vector<float>.Count; i < Inputs; i++)
                {
                    total += x[i] * weights[i];
                }

                y[(row * Outputs) + output] = total + (Bias?[output] ?? 0);
            }
        }
    }
}
