using Microsoft.ML.Tokenizers;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>
/// Microsoft.ML.Tokenizers' sentencepiece. It trusts the file it is given, so that a damaged one makes it fail in any way
/// and at any time; here every failure becomes one that names the file.
/// </summary>
internal sealed class SentencePieceLibrary
{
    private readonly SentencePieceTokenizer _tokenizer;
    private readonly string _path;

    /// <exception cref="InvalidDataException">The library cannot read the model.</exception>
    public SentencePieceLibrary(byte[] bytes, string path)
    {
        _path = path;
        _tokenizer = Guard(() =>
        {
            using var stream = new MemoryStream(bytes, writable: false);
            return SentencePieceTokenizer.Create(stream, addBeginningOfSentence: false, addEndOfSentence: false, specialTokens: null);
        });
    }

    /// <summary>The text as the model's normalizer leaves it: with its replacements, spaces as U+2581, and one in front where the model says so.</summary>
    /// <exception cref="InvalidDataException">The model is damaged.</exception>
    public string Normalize(string text) => _tokenizer.Normalizer is { } normalizer ? Guard(() => normalizer.Normalize(text)) : text;

    /// <summary>The ids of a text, normalised first.</summary>
    /// <exception cref="InvalidDataException">The model is damaged.</exception>
    public IReadOnlyList<int> Encode(string text) => Guard(() =>
        _tokenizer.EncodeToIds(text, addBeginningOfSentence: false, addEndOfSentence: false, considerPreTokenization: true, considerNormalization: true));

    private T Guard<T>(Func<T> call)
    {
        try
        {
            return call();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            throw new InvalidDataException($"\"{_path}\" is not a whole sentencepiece model ({error.Message}). Fetch the tokenizer again.", error);
        }
    }
}
