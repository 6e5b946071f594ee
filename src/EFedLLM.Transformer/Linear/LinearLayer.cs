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
    /// <exception cref="ArgumentException">A length does not fit the number of rows.</exception>
    public void Apply(ReadOnlySpan<float> x, int rows, Span<float> y, LinearWorkspace workspace, ComputeTeam team) =>
        Apply(new LinearInput(x, rows, workspace), y, team);

    /// <summary>Computes y = W·x + bias for rows that other layers may multiply too: the bits are the same, the work they have in common is done once.</summary>
    /// <param name="input">x, [rows, <see cref="Inputs"/>].</param>
    /// <param name="y">[rows, <see cref="Outputs"/>], row-major; overwritten.</param>
    /// <param name="team">The threads that share the work.</param>
    /// <exception cref="ArgumentException">A length does not fit the number of rows.</exception>
    /// <exception cref="InvalidOperationException">The workspace has begun another input since.</exception>
    public abstract void Apply(LinearInput input, Span<float> y, ComputeTeam team);

    /// <summary>Refuses rows that do not fit the layer.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    protected void CheckLengths(LinearInput input, ReadOnlySpan<float> y)
    {
        if (input.Rows < 1 || input.X.Length != (long)input.Rows * Inputs || y.Length != (long)input.Rows * Outputs)
        {
            throw new ArgumentException($"{input.Rows} rows of {input.X.Length} inputs and {y.Length} outputs do not fit a matrix of {Outputs} x {Inputs}.", nameof(input));
        }
    }
}
