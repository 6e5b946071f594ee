using System.Security.Cryptography;
using System.Text;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Compression.Evaluation;

/// <summary>The part of a text that models are measured on.</summary>
/// <param name="Sha256">Hash of the whole text's UTF-8 bytes, lower-case hexadecimal.</param>
/// <param name="Length">Tokens of the whole text.</param>
/// <param name="Tokens">The ids of the part that is scored.</param>
public sealed record ScoredText(string Sha256, int Length, ReadOnlyMemory<int> Tokens)
{
    /// <summary>Encodes a text without a begin token and takes a part of it.</summary>
    /// <param name="folder">The model folder with the tokenizer.</param>
    /// <param name="text">The text.</param>
    /// <param name="skip">Tokens left out at its beginning.</param>
    /// <param name="most">Tokens scored at most; fewer where the text ends.</param>
    /// <exception cref="ArgumentException">A number is out of its bounds, or the text has no token where scoring should begin.</exception>
    /// <exception cref="FileNotFoundException">There is no tokenizer.</exception>
    /// <exception cref="InvalidDataException">The tokenizer is damaged.</exception>
    public static ScoredText Encode(string folder, string text, int skip, int most)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        var ids = ModelTokenizer.Load(folder).Encode(text, addSpecial: false);
        return skip < ids.Length
            ? new ScoredText(
                Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))), ids.Length, ids.AsMemory(skip, Math.Min(most, ids.Length - skip)))
            : throw new ArgumentException($"The text has {ids.Length} tokens: none is left to score after skipping {skip}.", nameof(skip));
    }
}
