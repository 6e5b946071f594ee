using System.Collections.Immutable;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>The steps of a tokenizer, whichever file declared them.</summary>
internal sealed class TokenizerPipeline
{
    /// <summary>Tokens recognised before everything else.</summary>
    public required List<AddedToken> AddedTokens { get; init; }

    /// <summary>The model's tokens and ids.</summary>
    public required Dictionary<string, int> Vocabulary { get; init; }

    /// <summary>What is done to the text between added tokens, in order.</summary>
    public required List<Func<string, string>> Normalizers { get; init; }

    /// <summary>How that text is cut into words, in order.</summary>
    public required List<TextSplitter> Splitters { get; init; }

    /// <summary>Turns a word into ids.</summary>
    public required IWordEncoder Encoder { get; init; }

    /// <summary>Turns tokens into text.</summary>
    public required DecodingPlan Decoding { get; init; }

    /// <summary>Ids put before a text.</summary>
    public required ImmutableArray<int> Before { get; init; }

    /// <summary>Ids put behind a text.</summary>
    public required ImmutableArray<int> Behind { get; init; }

    /// <summary>Cuts a normalised piece into words.</summary>
    public List<string> Words(string text, bool isFirst)
    {
        List<string> words = [text];
        foreach (var splitter in Splitters)
        {
            var next = new List<string>(words.Count);
            for (var i = 0; i < words.Count; i++)
            {
                splitter.Split(words[i], isFirst && i == 0, next);
            }

            words = next;
        }

        return words;
    }
}
