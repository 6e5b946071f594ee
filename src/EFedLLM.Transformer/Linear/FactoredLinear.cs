using System.Runtime.InteropServices;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// A served matrix: y = B·x + U·(V·x) + bias, with integer weights of 4, 5, 6 or 8 bits. x is quantised to 16 bits in the groups of B and of V
/// (<c>ActivationQuantizer</c>), V·x is a float32 vector that is quantised the same way in the groups of U. An output
/// has one float32 accumulator, which begins at 0, takes the groups of B in ascending order, then those of U, and then
/// the bias. Its bits therefore depend on the weights and its own row of x alone.
/// </summary>
/// <remarks>Finite weights and inputs whose products stay within float32 give finite outputs; every NaN is 0x7FC00000.</remarks>
public sealed unsafe class FactoredLinear : LinearLayer
{
    private readonly BlockMatrix? _base;
    private readonly BlockMatrix? _v;
    private readonly BlockMatrix? _u;
    private readonly SafeBuffer? _memory;

    /// <summary>Creates a layer from matrices in memory.</summary>
    /// <param name="inputs">Width of an input row.</param>
    /// <param name="outputs">Width of an output row.</param>
    /// <param name="base">B, [outputs, inputs], or null.</param>
    /// <param name="v">V, [rank, inputs], the rank rounded up to whole groups of U; or null.</param>
    /// <param name="u">U, [outputs, rank], rounded up likewise; there exactly when V is.</param>
    /// <param name="bias">[outputs], or null.</param>
    /// <exception cref="ArgumentException">The matrices do not fit together, or there is neither a base nor a factor.</exception>
    public FactoredLinear(int inputs, int outputs, BlockMatrix? @base, BlockMatrix? v, BlockMatrix? u, float[]? bias)
        : this(inputs, outputs, @base, v, u, bias, null)
    {
    }

    /// <summary>Creates a layer from matrices that lie in the memory of a file, which each application holds open.</summary>
    internal FactoredLinear(int inputs, int outputs, BlockMatrix? @base, BlockMatrix? v, BlockMatrix? u, float[]? bias, SafeBuffer? memory)
        : base(inputs, outputs, bias)
    {
        Require(@base is not null || u is not null, "There is neither a base nor a pair of factors.");
        Require(u is null == v is null, "U and V come together.");
        Require(@base is null || (@base.Outputs == outputs && @base.Inputs == inputs), $"The base is not {outputs} x {inputs}.");
        Require(v is null || v.Inputs == inputs, $"V does not have {inputs} inputs.");
        Require(u is null || u.Outputs == outputs, $"U does not have {outputs} outputs.");
        Require(u is null || (u.Inputs == v!.Outputs && u.Inputs % u.Group == 0), "The rank of U and V is not the same multiple of U's group.");
        (_base, _v, _u, _memory) = (@base, v, u, memory);
    }

    /// <inheritdoc/>
    public override long WeightBytes => (_base?.Bytes ?? 0) + (SharesV ? 0 : _v?.Bytes ?? 0) + (_u?.Bytes ?? 0) + (Bias?.Length ?? 0) * sizeof(float);

    /// <summary>Whether V belongs to another layer with the same input, which counts its bytes.</summary>
    public bool SharesV { get; init; }

    /// <summary>Whether there is a B.</summary>
    internal bool HasBase => _base is not null;

    /// <summary>The registers to use: the widest of this processor, unless a test says otherwise.</summary>
    internal KernelWidth Width { get; init; } = GroupDot.Best;

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The model that the matrix belongs to has been disposed of.</exception>
    public override void Apply(LinearInput input, Span<float> y, ComputeTeam team)
    {
        ArgumentNullException.ThrowIfNull(team);
        CheckLengths(input, y);
        var held = false;
        try
        {
            Hold(ref held);
            fixed (float* x = input.X)
            fixed (float* output = y)
            {
                Apply(x, input.Rows, output, input.Workspace, team);
            }
        }
        finally
        {
            Release(held);
        }
    }

    /// <summary>Keeps the weights in memory, whoever disposes of the model meanwhile.</summary>
    /// <param name="held">Becomes true where there is something to be released.</param>
    /// <exception cref="ObjectDisposedException">The model that the matrix belongs to has been disposed of.</exception>
    internal void Hold(ref bool held) => _memory?.DangerousAddRef(ref held);

    /// <summary>The end of <see cref="Hold"/>.</summary>
    /// <param name="held">What it made of its argument.</param>
    internal void Release(bool held)
    {
        if (held)
        {
            _memory!.DangerousRelease();
        }

        GC.KeepAlive(this);
    }

    /// <summary>Begins the product of an input as part of a loop over several. There must be a base.</summary>
    /// <param name="input">x, [rows, inputs].</param>
    /// <param name="y">[rows, outputs].</param>
    /// <param name="x">Where the input lies.</param>
    /// <param name="output">Where y lies.</param>
    /// <param name="product">What is begun.</param>
    /// <param name="earlier">Products V·x that were begun before the loop.</param>
    /// <param name="team">The threads that quantise the input.</param>
    /// <exception cref="ArgumentException">A length does not fit the number of rows.</exception>
    internal void Begin(LinearInput input, ReadOnlySpan<float> y, float* x, float* output, BlockProduct product, int earlier, ComputeTeam team)
    {
        CheckLengths(input, y);
        var workspace = input.Workspace;
        var (lowRank, isNew) = LowRank(x, input.Rows, workspace, earlier, team);
        var values = workspace.Quantised(x, input.Rows, Inputs, _base!.Group, team); // [rows, inputs]
        product.Begin(_base.Blocks, values, _u?.Blocks ?? default, lowRank, isNew, Bias, Outputs, input.Rows, output, Width);
    }

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new ArgumentException(problem);
        }
    }

    private void Apply(float* x, int rows, float* y, LinearWorkspace workspace, ComputeTeam team)
    {
        var (lowRank, isNew) = LowRank(x, rows, workspace, workspace.LowRankUsed, team);
        if (_base is not null)
        {
            var input = workspace.Quantised(x, rows, Inputs, _base.Group, team); // [rows, inputs]
            workspace.Joint.Next().Begin(_base.Blocks, input, _u?.Blocks ?? default, lowRank, isNew, Bias, Outputs, rows, y, Width);
        }
        else
        {
            // V is as large as U here, and nothing can be done before V·x is there.
            lowRank!.Complete(team);
            workspace.Joint.Next().Begin(_u!.Blocks, lowRank.Rows, default, null, false, Bias, Outputs, rows, y, Width);
        }

        workspace.Joint.Compute(team);

        // The quantised rows are read by their addresses.
        GC.KeepAlive(workspace);
    }

    /// <summary>V·x, [rows, rank], which is to be computed where it is new; or null.</summary>
    private (LowRankProduct? Product, bool IsNew) LowRank(float* x, int rows, LinearWorkspace workspace, int earlier, ComputeTeam team)
    {
        if (_v is null)
        {
            return (null, false);
        }

        var input = workspace.Quantised(x, rows, Inputs, _v.Group, team); // [rows, inputs]
        return (workspace.LowRank(_v, input, rows, _u!.Group, Width, earlier, out var isNew), isNew);
    }
}
