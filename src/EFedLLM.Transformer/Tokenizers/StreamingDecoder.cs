namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Turns a stream of ids into text, never giving out half a UTF-8 character. The concatenation of all pieces equals decoding all ids at once.</summary>
public sealed class StreamingDecoder
{
    /// <summary>Takes the next id and returns the text that is now certain (often one token's, sometimes empty).</summary>
    public string Append(int id) => throw new NotSupportedException();

    /// <summary>Returns what is left at the end: incomplete characters become U+FFFD.</summary>
    public string Flush() => throw new NotSupportedException();
}
