namespace EFedLLM.Transformer.Tokenizers;

/// <summary>The tokenizer of a model folder (<c>tokenizer.json</c>, else <c>tokenizer.model</c>). Thread-safe.</summary>
public sealed class ModelTokenizer
{
    /// <summary>Loads the tokenizer of a checkpoint or factored model folder.</summary>
    public static ModelTokenizer Load(string folder) => throw new NotSupportedException();

    /// <summary>Number of ids, added tokens included.</summary>
    public int VocabularySize { get; }

    /// <summary>Encodes text; special tokens written in it are recognised. With <paramref name="addSpecial"/>, the begin token is put in front where the tokenizer's own post-processing does so.</summary>
    public int[] Encode(string text, bool addSpecial = true) => throw new NotSupportedException();

    /// <summary>Encodes a rendered chat: special tokens are recognised in <see cref="PromptSegment.IsTrusted"/> segments only, plain text runs across segments.</summary>
    public int[] Encode(IReadOnlyList<PromptSegment> segments) => throw new NotSupportedException();

    /// <summary>Decodes ids; special tokens are left out unless asked for.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true) => throw new NotSupportedException();

    /// <summary>A decoder for one stream of ids.</summary>
    public StreamingDecoder CreateDecoder(bool skipSpecial = true) => throw new NotSupportedException();
}
