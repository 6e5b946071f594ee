namespace EFedLLM.Transformer.Tokenizers;

/// <summary>The model of a tokenizer: turns one word (what splitting left in one piece) into ids.</summary>
internal interface IWordEncoder
{
    /// <summary>Appends the ids of a word. Thread-safe.</summary>
    void Encode(ReadOnlySpan<char> word, List<int> output);
}
