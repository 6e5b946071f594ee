using System.Runtime.InteropServices;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Linear;

/// <summary>An embedding of int8 values with a bfloat16 scale per 32 columns, as it lies in its file. A value times its scale has at most 15 binary digits, so a row is exact.</summary>
internal sealed unsafe class QuantisedEmbedding : IEmbedding
{
    private const int Group = ManifestLayout.EmbeddingGroup;

    private readonly sbyte* _table;
    private readonly ushort* _scales;
    private readonly int _groups;
    private readonly SafeBuffer? _memory;

    /// <param name="rows">Number of tokens.</param>
    /// <param name="width">Hidden size.</param>
    /// <param name="table">[rows, width rounded up to whole groups].</param>
    /// <param name="scales">[rows, groups], bfloat16.</param>
    /// <param name="memory">What keeps both in memory, which each lookup holds open.</param>
    public QuantisedEmbedding(int rows, int width, sbyte* table, ushort* scales, SafeBuffer? memory)
    {
        (Rows, Width, _memory) = (rows, width, memory);
        _table = table;
        _scales = scales;
        _groups = BlockLayout.Groups(width, Group);
    }

    public int Rows { get; }

    public int Width { get; }

    public long BytesPerRow => (long)_groups * (Group + sizeof(ushort));

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

        var held = false;
        _memory?.DangerousAddRef(ref held);
        try
        {
            var values = _table + (long)token * _groups * Group;
            var scales = _scales + (long)token * _groups;
            for (var i = 0; i < destination.Length; i++)
            {
                destination[i] = values[i] * BFloat16.ToSingle(scales[i / Group]);
            }
        }
        finally
        {
            if (held)
            {
                _memory!.DangerousRelease();
            }
        }
    }
}
