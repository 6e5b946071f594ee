using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>An embedding in float32, as the checkpoint has it: the reference.</summary>
internal sealed class DenseEmbedding : IEmbedding
{
    private readonly float[] _table;

    /// <param name="rows">Number of tokens.</param>
    /// <param name="width">Hidden size.</param>
    /// <param name="table">[rows, width], row-major.</param>
    public DenseEmbedding(int rows, int width, float[] table)
    {
        if (table.Length != (long)rows * width)
        {
            throw new ArgumentException($"The table has {table.Length} values instead of {rows} x {width}.", nameof(table));
        }

        (Rows, Width, _table) = (rows, width, table);
    }

    public int Rows { get; }

    public int Width { get; }

    public long BytesPerRow => (long)Width * sizeof(float);

    public void Lookup(int token, Span<float> destination)
    {
        if ((uint)token >= (uint)Rows)
        {
            throw new ArgumentOutOfRangeException(nameof(token), token, $"The embedding has {Rows} tokens.");
        }

        if (destination.Length != Width)
        {
            throw new ArgumentOutOfRangeException(nameof(destination), destination.Length, $"A row has {Width} values.");
        }

        _table.AsSpan(token * Width, Width).CopyTo(destination);
    }
}
