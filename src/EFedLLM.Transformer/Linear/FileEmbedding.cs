using System.Runtime.InteropServices;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Linear;

/// <summary>An embedding like <see cref="QuantisedEmbedding"/> whose rows are read from its file when they are looked up: the same bits, and no memory. One caller at a time.</summary>
internal sealed class FileEmbedding : IEmbedding, IDisposable
{
    private const int Group = ManifestLayout.EmbeddingGroup;

    private readonly UnitReader _file;
    private readonly long _table;
    private readonly long _scales;
    private readonly byte[] _row;
    private readonly ushort[] _rowScales;

    /// <param name="rows">Number of tokens.</param>
    /// <param name="width">Hidden size.</param>
    /// <param name="file">The file, which goes with the embedding.</param>
    /// <param name="table">Where [rows, width rounded up to whole groups] begins in it.</param>
    /// <param name="scales">Where [rows, groups], bfloat16, begins in it.</param>
    public FileEmbedding(int rows, int width, UnitReader file, long table, long scales)
    {
        (Rows, Width, _file, _table, _scales) = (rows, width, file, table, scales);
        var groups = BlockLayout.Groups(width, Group);
        (_row, _rowScales) = (new byte[groups * Group], new ushort[groups]);
    }

    public int Rows { get; }

    public int Width { get; }

    public long BytesPerRow => _row.Length + (_rowScales.Length * sizeof(ushort));

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is shorter by now.</exception>
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

        _file.Read(_row, _table + ((long)token * _row.Length));
        _file.Read(MemoryMarshal.AsBytes(_rowScales.AsSpan()), _scales + ((long)token * _rowScales.Length * sizeof(ushort)));
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (sbyte)_row[i] * BFloat16.ToSingle(_rowScales[i / Group]);
        }
    }

    public void Dispose() => _file.Dispose();
}
