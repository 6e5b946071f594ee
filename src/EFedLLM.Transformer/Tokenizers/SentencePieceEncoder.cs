using Microsoft.ML.Tokenizers;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Encodes with a sentencepiece model: normalises, then segments the whole piece of text.</summary>
internal sealed class SentencePieceEncoder(SentencePieceTokenizer tokenizer, SentencePieceModel model) : IWordEncoder
{
    public void Encode(ReadOnlySpan<char> word, List<int> output)
    {
        var ids = tokenizer.EncodeToIds(word, addBeginningOfSentence: false, addEndOfSentence: false, considerPreTokenization: true, considerNormalization: true);
        var previous = -1;
        foreach (var id in ids)
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
