namespace EFedLLM.Transformer.Checkpoints;

/// <summary>What a range of units needs of memory, as far as streaming it goes.</summary>
/// <param name="EmbeddingBytes">Bytes of the embedding; 0 where the range has none.</param>
/// <param name="LayerBytes">Bytes of all layers.</param>
/// <param name="LargestLayerBytes">Bytes of the largest of them.</param>
/// <param name="HeadBytes">Bytes of the head; 0 where the range has none.</param>
public readonly record struct StreamNeed(long EmbeddingBytes, long LayerBytes, long LargestLayerBytes, long HeadBytes)
{
    /// <summary>Bytes of all.</summary>
    public long TotalBytes => EmbeddingBytes + LayerBytes + HeadBytes;

    /// <summary>The least memory with which the range can be computed at all, in bytes.</summary>
    public long LeastBytes => Math.Min(LayerBytes + HeadBytes, Math.Min(WindowBytes(keepsHead: true) + HeadBytes, WindowBytes(keepsHead: false)));

    /// <summary>Of a range.</summary>
    /// <param name="unitBytes">Bytes of each unit of the model.</param>
    /// <param name="range">A valid range of it.</param>
    public static StreamNeed Of(ReadOnlySpan<long> unitBytes, LayerRange range)
    {
        var need = default(StreamNeed);
        for (var unit = range.First; unit < range.End; unit++)
        {
            need = need.With(unit, unitBytes);
        }

        return need;
    }

    /// <summary>The need with one more unit.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="unitBytes">Bytes of each unit of the model.</param>
    public StreamNeed With(int unit, ReadOnlySpan<long> unitBytes)
    {
        var bytes = unitBytes[unit];
        return unit == 0 ? this with { EmbeddingBytes = bytes }
            : unit == unitBytes.Length - 1 ? this with { HeadBytes = bytes }
            : this with { LayerBytes = LayerBytes + bytes, LargestLayerBytes = Math.Max(LargestLayerBytes, bytes) };
    }

    /// <summary>Bytes that a step reads from disk, at least; null where not even the windows fit. What layers of different sizes leave unused of memory is not counted.</summary>
    /// <param name="memory">Bytes of memory.</param>
    public long? StreamedBytes(long memory)
    {
        var body = LayerBytes + HeadBytes;
        return body <= memory ? 0
            : KeepsHead(memory) ? LayerBytes - (memory - WindowBytes(keepsHead: true) - HeadBytes)
            : WindowBytes(keepsHead: false) is var window && window <= memory ? body - (memory - window)
            : null;
    }

    /// <summary>Whether the head stays in memory beside the windows for the layers.</summary>
    /// <param name="memory">Bytes of memory.</param>
    internal bool KeepsHead(long memory) => WindowBytes(keepsHead: true) + HeadBytes <= memory;

    /// <summary>Bytes of the windows.</summary>
    /// <param name="keepsHead">Whether the head does not pass through them.</param>
    internal long WindowBytes(bool keepsHead) => 2 * (keepsHead ? LargestLayerBytes : Math.Max(LargestLayerBytes, HeadBytes));
}
