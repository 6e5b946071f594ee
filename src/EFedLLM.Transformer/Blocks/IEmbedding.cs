namespace EFedLLM.Transformer.Blocks;

/// <summary>The token embedding: a table of which a step reads one row per token.</summary>
public interface IEmbedding
{
    /// <summary>Number of rows (the vocabulary).</summary>
    int Rows { get; }

    /// <summary>Width of a row (the hidden size).</summary>
    int Width { get; }

    /// <summary>Bytes read for one token.</summary>
    long BytesPerRow { get; }

    /// <summary>Writes the row of <paramref name="token"/> as float32.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The token is not in the table, or the destination is not one row long.</exception>
    void Lookup(int token, Span<float> destination);
}
