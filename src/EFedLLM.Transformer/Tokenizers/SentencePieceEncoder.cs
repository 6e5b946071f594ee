namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Encodes with a sentencepiece model: normalises, then segments the whole piece of text.</summary>
internal sealed class SentencePieceEncoder(SentencePieceLibrary library, SentencePieceModel model) : IWordEncoder
{
    public void Encode(ReadOnlySpan<char> word, List<int> output)
    {
        var previous = -1;
        foreach (var id in library.Encode(word.ToString()))
        {
            // The reference gives neighbouring unknown characters one id.
            if (id != model.UnknownId || id != previous)
            {
                output.Add(id);
            }

            previous = id;
        }
    }
}
