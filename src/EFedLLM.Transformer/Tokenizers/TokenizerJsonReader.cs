using System.Text.Json;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Reads <c>tokenizer.json</c> with a byte-pair or a WordPiece model.</summary>
internal static class TokenizerJsonReader
{
    public const string FileName = "tokenizer.json";

    /// <summary>Largest id: what a vocabulary may have at most.</summary>
    public const int MaximumId = (1 << 22) - 1;

    /// <summary>Bytes that the file may have.</summary>
    public const long MaximumBytes = 256L << 20;

    private const int MaximumTokenLength = 1 << 14;
    private const int MaximumMerges = 1 << 21;

    /// <summary>A word of that many characters that begins no token takes the square of them.</summary>
    private const int MaximumWord = 1000;

    /// <exception cref="InvalidDataException">The file is malformed; the message names the part.</exception>
    /// <exception cref="NotSupportedException">It needs something that is not supported; the message names it.</exception>
    public static TokenizerPipeline Read(ReadOnlyMemory<byte> bytes, string path)
    {
        using var document = CheckpointJson.ParseObject(bytes, path);
        var root = document.RootElement;
        var parts = new TokenizerJsonParts(path);
        var model = CheckpointJson.Get(root, "model") ?? throw parts.Bad("it has no model");
        var isWordPiece = CheckpointJson.Get(model, "type") is not null && parts.Type(model) == "WordPiece";
        if (!isWordPiece)
        {
            CheckModel(model, parts);
        }

        var added = parts.AddedTokens(CheckpointJson.Get(root, "added_tokens"));
        var vocabulary = ReadVocabulary(model, parts);
        var (before, behind) = parts.Template(CheckpointJson.Get(root, "post_processor"));
        return new TokenizerPipeline
        {
            AddedTokens = added,
            Vocabulary = vocabulary,
            Normalizers = parts.Normalizers(CheckpointJson.Get(root, "normalizer")),
            Splitters = parts.Splitters(CheckpointJson.Get(root, "pre_tokenizer")),
            Encoder = isWordPiece ? ReadWordPiece(model, vocabulary, parts) : new BytePairEncoder(ReadModel(model, vocabulary, added, parts)),
            Decoding = parts.Decoder(CheckpointJson.Get(root, "decoder")),
            Before = [.. before],
            Behind = [.. behind],
        };
    }

    private static void CheckModel(JsonElement model, TokenizerJsonParts parts)
    {
        // Files of the first versions do not name the type; merges tell a byte-pair model.
        var type = CheckpointJson.Get(model, "type") is null && CheckpointJson.Get(model, "merges") is not null ? "BPE" : parts.Type(model);
        if (type != "BPE")
        {
            throw parts.Unsupported("model", type);
        }

        if (CheckpointJson.Get(model, "dropout") is { } dropout && !(dropout.ValueKind == JsonValueKind.Number && dropout.TryGetDouble(out var share) && share == 0))
        {
            throw parts.Unsupported("model", "with dropout");
        }

        foreach (var affix in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (CheckpointJson.Get(model, affix) is not null && parts.Text(model, affix, "the model").Length > 0)
            {
                throw parts.Unsupported("model", "with " + affix);
            }
        }
    }

    private static WordPieceEncoder ReadWordPiece(JsonElement model, Dictionary<string, int> vocabulary, TokenizerJsonParts parts)
    {
        const int UsualWord = 100;
        var name = parts.Text(model, "unk_token", "the model");
        if (!vocabulary.TryGetValue(name, out var unknown))
        {
            throw parts.Bad("unk_token is not in the vocabulary");
        }

        var longest = CheckpointJson.Get(model, "max_input_chars_per_word") is { } most ? parts.Id(most, "max_input_chars_per_word") : UsualWord;
        if (longest is 0 or > MaximumWord)
        {
            throw parts.Bad($"max_input_chars_per_word is {longest}, not in [1, {MaximumWord}]");
        }

        return new WordPieceEncoder(vocabulary, parts.Text(model, "continuing_subword_prefix", "the model"), unknown, longest);
    }

    private static Dictionary<string, int> ReadVocabulary(JsonElement model, TokenizerJsonParts parts)
    {
        if (CheckpointJson.Get(model, "vocab") is not { ValueKind: JsonValueKind.Object } entries)
        {
            throw parts.Bad("the model has no vocab");
        }

        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var ids = new HashSet<int>();
        foreach (var entry in entries.EnumerateObject())
        {
            var token = CheckpointJson.Name(entry, "vocab", FileName);
            var id = parts.Id(entry.Value, "an id of vocab");
            if (token.Length is 0 or > MaximumTokenLength || !vocabulary.TryAdd(token, id) || !ids.Add(id))
            {
                throw parts.Bad($"vocab has an empty token, one longer than {MaximumTokenLength} characters, or a token or id twice (id {id})");
            }
        }

        return vocabulary.Count > 0 ? vocabulary : throw parts.Bad("vocab is empty");
    }

    private static BytePairModel ReadModel(JsonElement model, Dictionary<string, int> vocabulary, List<AddedToken> added, TokenizerJsonParts parts)
    {
        int? unknown = null;
        if (CheckpointJson.Get(model, "unk_token") is not null)
        {
            var name = parts.Text(model, "unk_token", "the model");
            unknown = vocabulary.TryGetValue(name, out var id) ? id
                : added.FirstOrDefault(token => token.Content == name)?.Id ?? throw parts.Bad("unk_token is not in the vocabulary");
        }

        return new BytePairModel(vocabulary, ReadMerges(model, vocabulary, parts))
        {
            WholeWords = parts.Flag(model, "ignore_merges", false) ? WholeWords(vocabulary, added) : null,
            ByteIds = parts.Flag(model, "byte_fallback", false) ? ByteIds(vocabulary) : null,
            UnknownId = unknown,
            FusesUnknown = parts.Flag(model, "fuse_unk", false),
        };
    }

    /// <summary>A special token must not come out of a word that spells it: only the matching of added tokens gives its id.</summary>
    private static Dictionary<string, int> WholeWords(Dictionary<string, int> vocabulary, List<AddedToken> added)
    {
        var words = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        foreach (var token in added.Where(token => token.IsSpecial))
        {
            words.Remove(token.Content);
        }

        return words;
    }

    private static int[]? ByteIds(Dictionary<string, int> vocabulary)
    {
        var ids = new int[256];
        for (var value = 0; value < ids.Length; value++)
        {
            if (!vocabulary.TryGetValue($"<0x{value:X2}>", out ids[value]))
            {
                return null;
            }
        }

        return ids;
    }

    private static List<(string Left, string Right)> ReadMerges(JsonElement model, Dictionary<string, int> vocabulary, TokenizerJsonParts parts)
    {
        if (CheckpointJson.Get(model, "merges") is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() > MaximumMerges)
        {
            throw parts.Bad($"the model has no list of at most {MaximumMerges} merges");
        }

        var merges = new List<(string, string)>(list.GetArrayLength());
        var known = new HashSet<(string, string)>();
        foreach (var entry in list.EnumerateArray())
        {
            var (left, right) = Merge(entry, parts);
            if (!vocabulary.ContainsKey(left) || !vocabulary.ContainsKey(right) || !vocabulary.ContainsKey(left + right) || !known.Add((left, right)))
            {
                throw parts.Bad($"merge {merges.Count} is there twice, or joins or makes a token that is not in vocab");
            }

            merges.Add((left, right));
        }

        return merges;
    }

    private static (string Left, string Right) Merge(JsonElement entry, TokenizerJsonParts parts)
    {
        if (entry.ValueKind == JsonValueKind.Array)
        {
            if (entry.GetArrayLength() != 2)
            {
                throw parts.Bad("a merge is not a pair");
            }

            var left = CheckpointJson.Text(entry[0], "a merge", FileName);
            var right = CheckpointJson.Text(entry[1], "a merge", FileName);
            return left.Contains(' ') || right.Contains(' ') ? throw parts.Unsupported("model", "with merges of tokens that contain spaces") : (left, right);
        }

        var pair = CheckpointJson.Text(entry, "a merge", FileName).Split(' ');
        return pair.Length == 2 ? (pair[0], pair[1]) : throw parts.Bad("a merge is not two tokens with a space between them");
    }
}
