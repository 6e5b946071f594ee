namespace EFedLLM.Transformer.Linear;

/// <summary>
/// Rows that one layer multiplies, or several one after the other: what they have in common is then done once. Its rows
/// are quantised when the first layer asks, once for each size of group; a V that layers share is multiplied once.
/// </summary>
public readonly ref struct LinearInput
{
    private readonly LinearWorkspace _workspace;
    private readonly long _begun;

    /// <summary>Begins with rows that no layer has multiplied yet. Allocates nothing. An input begun before on the same workspace ends.</summary>
    /// <param name="x">[rows, width], row-major; must not change until the last layer has multiplied them.</param>
    /// <param name="rows">Number of rows (tokens), at least 1.</param>
    /// <param name="workspace">Scratch memory of the caller; grows on first use, never shrinks, is not shared between concurrent calls.</param>
    /// <exception cref="ArgumentException">The values are not so many rows.</exception>
    public LinearInput(ReadOnlySpan<float> x, int rows, LinearWorkspace workspace)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentNullException.ThrowIfNull(workspace);
        if (x.Length % rows != 0)
        {
            throw new ArgumentException($"{x.Length} values are not {rows} rows.", nameof(x));
        }

        (Rows, _workspace, _begun) = (rows, workspace, workspace.Begin());
        X = x;
    }

    /// <summary>[<see cref="Rows"/>, <see cref="Width"/>], row-major.</summary>
    public ReadOnlySpan<float> X { get; }

    /// <summary>Number of rows (tokens).</summary>
    public int Rows { get; }

    /// <summary>Width of a row.</summary>
    public int Width => Rows == 0 ? 0 : X.Length / Rows;

    /// <summary>What has been done for these rows.</summary>
    /// <exception cref="InvalidOperationException">Another input was begun on the workspace since.</exception>
    internal LinearWorkspace Workspace => _workspace is not null && _workspace.Begun == _begun
        ? _workspace
        : throw new InvalidOperationException("Another input was begun on the same workspace: begin this one anew, or give each a workspace of its own.");
}
