using System.Globalization;
using System.Text.Json;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// Says what the metadata of a GGUF file say of the tokenizer as a <c>tokenizer.json</c>, so that one code reads, runs and
/// keeps tokenizers. A sentencepiece model's scores become merges in the order of huggingface/transformers'
/// SentencePieceExtractor.
/// </summary>
internal static class GgufTokenizer
{
    private const string Mark = "\u2581";
    private const string ScoresKey = "tokenizer.ggml.scores";
    private const string MergesKey = "tokenizer.ggml.merges";
    private const int MaximumMerges = 1 << 21;
    private const int MaximumMergeBytes = 1 << 15;

    /// <summary>Writes the properties of the file's outermost object.</summary>
    /// <exception cref="InvalidDataException">A metadata value is malformed; the message names its key.</exception>
    /// <exception cref="NotSupportedException">The tokenizer is of a kind that is not supported; the message names it.</exception>
    public static void Write(Utf8JsonWriter json, GgufMetadata metadata, GgufVocabulary vocabulary)
    {
        var ids = Ids(metadata, vocabulary);
        json.WriteString("version", "1.0");
        WriteAddedTokens(json, vocabulary, ids);
        switch (vocabulary.Model)
        {
            case GgufVocabulary.SentencePiece:
                WriteSentencePiece(json, metadata, vocabulary, ids);
                break;
            case GgufVocabulary.BytePair:
                WriteBytePair(json, metadata, vocabulary, ids);
                break;
            default:
                throw metadata.Unsupported(GgufVocabulary.ModelKey, $"is \"{vocabulary.Model}\", which is not supported; supported are llama (sentencepiece) and gpt2 (byte-level byte pairs)");
        }
    }

    /// <summary>The ids of the tokens: places without a text, and unused ones that repeat another's, have none.</summary>
    private static Dictionary<string, int> Ids(GgufMetadata metadata, GgufVocabulary vocabulary)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = 0; id < vocabulary.Tokens.Length; id++)
        {
            var token = vocabulary.Tokens[id];
            if (token.Length > 0 && !ids.TryAdd(token, id) && vocabulary.Kinds[id] != SentencePieceKind.Unused)
            {
                throw metadata.Bad(GgufVocabulary.TokensKey, $"has the same token at {ids[token]} and {id}");
            }
        }

        return ids;
    }

    private static void WriteAddedTokens(Utf8JsonWriter json, GgufVocabulary vocabulary, Dictionary<string, int> ids)
    {
        json.WriteStartArray("added_tokens");
        for (var id = 0; id < vocabulary.Tokens.Length; id++)
        {
            var (token, kind) = (vocabulary.Tokens[id], vocabulary.Kinds[id]);
            if (kind is SentencePieceKind.Control or SentencePieceKind.Unknown or SentencePieceKind.UserDefined && ids.TryGetValue(token, out var own) && own == id)
            {
                json.WriteStartObject();
                json.WriteNumber("id", id);
                json.WriteString("content", token);
                foreach (var flag in (ReadOnlySpan<string>)["single_word", "lstrip", "rstrip", "normalized"])
                {
                    json.WriteBoolean(flag, false);
                }

                json.WriteBoolean("special", kind != SentencePieceKind.UserDefined);
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
    }

    private static void WriteSentencePiece(Utf8JsonWriter json, GgufMetadata metadata, GgufVocabulary vocabulary, Dictionary<string, int> ids)
    {
        var addsSpace = metadata.Flag("tokenizer.ggml.add_space_prefix", true);
        json.WriteStartObject("normalizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("normalizers");
        if (addsSpace)
        {
            json.WriteStartObject();
            json.WriteString("type", "Prepend");
            json.WriteString("prepend", Mark);
            json.WriteEndObject();
        }

        WriteReplace(json, " ", Mark);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteNull("pre_tokenizer");
        WriteTemplate(json, vocabulary);
        WriteSentencePieceDecoder(json, addsSpace);
        WriteModel(json, vocabulary, ids, SentencePieceMerges(metadata, vocabulary, ids), ignoresMerges: false);
    }

    private static void WriteSentencePieceDecoder(Utf8JsonWriter json, bool addsSpace)
    {
        json.WriteStartObject("decoder");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("decoders");
        WriteReplace(json, Mark, " ");
        foreach (var type in (ReadOnlySpan<string>)["ByteFallback", "Fuse"])
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteEndObject();
        }

        if (addsSpace)
        {
            json.WriteStartObject();
            json.WriteString("type", "Strip");
            json.WriteString("content", " ");
            json.WriteNumber("start", 1);
            json.WriteNumber("stop", 0);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteBytePair(Utf8JsonWriter json, GgufMetadata metadata, GgufVocabulary vocabulary, Dictionary<string, int> ids)
    {
        var pre = GgufPreTokenizer.Find(vocabulary.Pre)
            ?? throw metadata.Unsupported(GgufVocabulary.PreKey, $"is \"{vocabulary.Pre}\", which is not supported; supported are {GgufPreTokenizer.Names}");
        if (pre.Composes)
        {
            json.WriteStartObject("normalizer");
            json.WriteString("type", "NFC");
            json.WriteEndObject();
        }

        pre.Write(json);
        WriteTemplate(json, vocabulary);
        json.WriteStartObject("decoder");
        json.WriteString("type", "ByteLevel");
        json.WriteEndObject();
        var merges = metadata.Texts(MergesKey, MaximumMerges, MaximumMergeBytes) ?? throw metadata.Bad(MergesKey, "is missing");
        WriteModel(json, vocabulary, ids, merges.Select(merge => Pair(metadata, merge)), pre.IgnoresMerges);
    }

    private static (string Left, string Right) Pair(GgufMetadata metadata, string merge)
    {
        var space = merge.IndexOf(' ', Math.Min(1, merge.Length));
        return space > 0 ? (merge[..space], merge[(space + 1)..]) : throw metadata.Bad(MergesKey, $"has \"{merge}\", which is not two tokens with a space between them");
    }

    /// <summary>
    /// Two neighbours may become a token that is their concatenation, that of the highest score first. Where a file gives
    /// all the same score, the order of the ids stands in for it.
    /// </summary>
    private static IEnumerable<(string Left, string Right)> SentencePieceMerges(GgufMetadata metadata, GgufVocabulary vocabulary, Dictionary<string, int> ids)
    {
        var scores = metadata.Numbers(ScoresKey, vocabulary.Tokens.Length);
        if (scores?.Length != vocabulary.Tokens.Length || !Array.TrueForAll(scores, double.IsFinite))
        {
            throw metadata.Bad(ScoresKey, $"is not a list of {vocabulary.Tokens.Length} finite numbers, one for each token");
        }

        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(int Id, int Left, int Right)>();
        for (var id = 0; id < vocabulary.Tokens.Length; id++)
        {
            var token = vocabulary.Tokens[id];
            for (var at = 1; IsMerged(id) && at < token.Length; at++)
            {
                if (lookup.TryGetValue(token.AsSpan(0, at), out var left) && IsMerged(left) && lookup.TryGetValue(token.AsSpan(at), out var right) && IsMerged(right))
                {
                    merges.Add((id, left, right));
                }
            }

            if (merges.Count > MaximumMerges)
            {
                throw metadata.Bad(GgufVocabulary.TokensKey, $"has more than {MaximumMerges} ways to join tokens");
            }
        }

        return merges
            .OrderByDescending(merge => scores[merge.Id])
            .ThenBy(merge => merge.Id)
            .ThenByDescending(merge => vocabulary.Tokens[merge.Left].Length)
            .Select(merge => (vocabulary.Tokens[merge.Left], vocabulary.Tokens[merge.Right]));

        bool IsMerged(int id) => vocabulary.Kinds[id] == SentencePieceKind.Normal && !vocabulary.Tokens[id].Contains(' ');
    }

    private static void WriteReplace(Utf8JsonWriter json, string from, string to)
    {
        json.WriteStartObject();
        json.WriteString("type", "Replace");
        json.WriteStartObject("pattern");
        json.WriteString("String", from);
        json.WriteEndObject();
        json.WriteString("content", to);
        json.WriteEndObject();
    }

    private static void WriteTemplate(Utf8JsonWriter json, GgufVocabulary vocabulary)
    {
        var before = vocabulary.AddsBegin ? vocabulary.Begin : null;
        var behind = vocabulary.AddsEnd ? vocabulary.Ends[0] : (int?)null;
        if (before is null && behind is null)
        {
            json.WriteNull("post_processor");
            return;
        }

        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        foreach (var (name, texts) in (ReadOnlySpan<(string, string)>)[("single", "A"), ("pair", "AB")])
        {
            json.WriteStartArray(name);
            for (var i = 0; i < texts.Length; i++)
            {
                WritePart("SpecialToken", Name(before), i);
                WritePart("Sequence", texts[i].ToString(), i);
                WritePart("SpecialToken", Name(behind), i);
            }

            json.WriteEndArray();
        }

        json.WriteStartObject("special_tokens");
        foreach (var id in new[] { before, behind }.OfType<int>().Distinct())
        {
            json.WriteStartObject(vocabulary.Tokens[id]);
            json.WriteString("id", vocabulary.Tokens[id]);
            json.WriteStartArray("ids");
            json.WriteNumberValue(id);
            json.WriteEndArray();
            json.WriteStartArray("tokens");
            json.WriteStringValue(vocabulary.Tokens[id]);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();

        string? Name(int? id) => id is { } known ? vocabulary.Tokens[known] : null;

        void WritePart(string kind, string? id, int type)
        {
            if (id is null)
            {
                return;
            }

            json.WriteStartObject();
            json.WriteStartObject(kind);
            json.WriteString("id", id);
            json.WriteNumber("type_id", type);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static void WriteModel(Utf8JsonWriter json, GgufVocabulary vocabulary, Dictionary<string, int> ids, IEnumerable<(string Left, string Right)> merges, bool ignoresMerges)
    {
        var isSentencePiece = vocabulary.Model == GgufVocabulary.SentencePiece;
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        if (isSentencePiece && vocabulary.Unknown is { } unknown && vocabulary.Tokens[unknown].Length > 0)
        {
            json.WriteString("unk_token", vocabulary.Tokens[unknown]);
        }

        json.WriteBoolean("fuse_unk", isSentencePiece);
        json.WriteBoolean("byte_fallback", isSentencePiece && Enumerable.Range(0, 256).All(value => ids.ContainsKey(string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>"))));
        json.WriteBoolean("ignore_merges", ignoresMerges);
        json.WriteStartObject("vocab");
        foreach (var (token, id) in ids.OrderBy(entry => entry.Value))
        {
            json.WriteNumber(token, id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
