using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// One matrix of a model: y = W·x (+ bias) for every row (token) of x. Each output row depends on its own input row
/// alone, and its bits do not depend on how many rows or threads take part.
/// </summary>
public abstract class LinearLayer
{
    /// <summary>Creates a layer of the given widths.</summary>
    /// <param name="inputs">Width of an input row.</param>
    /// <param name="outputs">Width of an output row.</param>
    /// <param name="bias">Added to every output row, [outputs], or null.</param>
    protected LinearLayer(int inputs, int outputs, float[]? bias)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputs);
        if (bias is not null && bias.Length != outputs)
        {
            throw new ArgumentException($"The bias has {bias.Length} values for {outputs} outputs.", nameof(bias));
        }

        (Inputs, Outputs, Bias) = (inputs, outputs, bias);
    }

    /// <summary>Width of an input row.</summary>
    public int Inputs { get; }

    /// <summary>Width of an output row.</summary>
    public int Outputs { get; }

    /// <summary>The bias, [outputs], or null.</summary>
    public float[]? Bias { get; }

    /// <summary>Bytes of weights that one application reads, scales and padding included. A V that layers share counts with its owner alone.</summary>
    public abstract long WeightBytes { get; }

    /// <summary>Computes y = W·x + bias.</summary>
    /// <param name="x">[rows, <see cref="Inputs"/>], row-major.</param>
    /// <param name="rows">Number of rows (tokens), at least 1.</param>
    /// <param name="y">[rows, <see cref="Outputs"/>], row-major; overwritten.</param>
    /// <param name="workspace">Scratch memory of the caller; grows on first use, never shrinks, is not shared between concurrent calls.</param>
    /// <param name="team">The threads that share the work.</param>
    public abstract void Apply(ReadOnlySpan<float> x, int rows, Span<float> y, LinearWorkspace workspace, ComputeTeam team);
}
