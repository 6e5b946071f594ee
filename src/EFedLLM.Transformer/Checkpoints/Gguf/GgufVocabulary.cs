using System.Collections.Frozen;
using System.Collections.Immutable;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// The tokens in the metadata of a GGUF file, with the defaults of llama.cpp's reading (<c>llama-vocab.cpp</c>) for what is
/// absent: the special ids of sentencepiece models, and which kinds put a begin token in front.
/// </summary>
internal sealed record GgufVocabulary
{
    public const string ModelKey = "tokenizer.ggml.model";
    public const string TokensKey = "tokenizer.ggml.tokens";
    public const string PreKey = "tokenizer.ggml.pre";
    public const string SentencePiece = "llama";
    public const string BytePair = "gpt2";
    private const int MaximumTokenBytes = 1 << 14;

    /// <summary>Tokens that end a turn or a text by their name: files name only one or two of them by id.</summary>
    private static readonly FrozenSet<string> EndNames = FrozenSet.Create(
        "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>", "<EOT>", "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");

    /// <summary>The kind of tokenizer: <c>llama</c> (sentencepiece), <c>gpt2</c> (byte-level byte pairs) or one that is not supported.</summary>
    public required string Model { get; init; }

    /// <summary>How byte-level text is cut into words.</summary>
    public required string Pre { get; init; }

    /// <summary>The tokens; their places are their ids. May be empty texts where there is no token.</summary>
    public required ImmutableArray<string> Tokens { get; init; }

    /// <summary>What each is.</summary>
    public required ImmutableArray<SentencePieceKind> Kinds { get; init; }

    /// <summary>The token that begins a text.</summary>
    public int? Begin { get; init; }

    /// <summary>The tokens that end a text or a turn, the one that the file names as the end first.</summary>
    public ImmutableArray<int> Ends { get; init; } = [];

    /// <summary>The token of unknown characters.</summary>
    public int? Unknown { get; init; }

    /// <summary>The token that fills up.</summary>
    public int? Padding { get; init; }

    /// <summary>Whether the begin token is put in front of a text.</summary>
    public bool AddsBegin { get; init; }

    /// <summary>Whether the end token is put behind a text.</summary>
    public bool AddsEnd { get; init; }

    /// <summary>Reads them, or null where the file has no tokenizer.</summary>
    /// <exception cref="InvalidDataException">A value is malformed; the message names its key.</exception>
    public static GgufVocabulary? Read(GgufMetadata metadata)
    {
        if (metadata.Text(ModelKey) is not { } model || model is "none" or "no_vocab")
        {
            return null;
        }

        var tokens = metadata.Texts(TokensKey, TokenizerJsonReader.MaximumId + 1, MaximumTokenBytes) ?? throw metadata.Bad(TokensKey, "is missing");
        if (tokens.Length == 0)
        {
            throw metadata.Bad(TokensKey, "is empty");
        }

        var kinds = ReadKinds(metadata, tokens.Length);
        var usual = model == SentencePiece;
        var pre = metadata.Text(PreKey) ?? "default";
        var (begin, end) = (Id("bos", usual ? 1 : null), Id("eos", usual ? 2 : null));
        int?[] named = [end, Id("eot", null), Id("eom", null)];
        var byName = Enumerable.Range(0, tokens.Length).Where(id => kinds[id] is SentencePieceKind.Control or SentencePieceKind.UserDefined && EndNames.Contains(tokens[id]));
        return new GgufVocabulary
        {
            Model = model,
            Pre = pre,
            Tokens = [.. tokens],
            Kinds = kinds,
            Begin = begin,
            Ends = [.. named.OfType<int>().Concat(byName).Distinct()],
            Unknown = Id("unknown", usual ? 0 : null),
            Padding = Id("padding", null),
            AddsBegin = metadata.Flag("tokenizer.ggml.add_bos_token", usual || GgufPreTokenizer.BeginsTexts(pre)) && begin is not null,
            AddsEnd = metadata.Flag("tokenizer.ggml.add_eos_token", false) && end is not null,
        };

        int? Id(string name, int? fallback)
        {
            // Conversions write -1 for a token that there is not; like llama.cpp, take what is no id for absent.
            var id = metadata.Real($"tokenizer.ggml.{name}_token_id", double.NegativeInfinity, double.PositiveInfinity, -1);
            return id >= 0 && id < tokens.Length ? (int)id : fallback < tokens.Length ? fallback : null;
        }
    }

    private static ImmutableArray<SentencePieceKind> ReadKinds(GgufMetadata metadata, int count)
    {
        const string Key = "tokenizer.ggml.token_type";
        if (metadata.Numbers(Key, count) is not { } numbers)
        {
            return [.. Enumerable.Repeat(SentencePieceKind.Normal, count)];
        }

        if (numbers.Length != count)
        {
            throw metadata.Bad(Key, $"has {numbers.Length} entries for {count} tokens");
        }

        return [.. numbers.Select(number =>
            number == 0 ? SentencePieceKind.Normal
            : number is >= 1 and <= 6 && number == Math.Truncate(number) ? (SentencePieceKind)number
            : throw metadata.Bad(Key, $"has {number}, which is no kind of token"))];
    }
}
