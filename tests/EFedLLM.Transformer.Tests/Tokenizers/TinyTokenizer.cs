using System.Text.Json;
using System.Text.Json.Nodes;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Tokenizers;

/// <summary>Writes small tokenizer files: a byte-level one and one in the manner of sentencepiece.</summary>
internal static class TinyTokenizer
{
    /// <summary>Every byte is a token (ids 0 to 255), "he", "ll" and "hell" are merges, and two special tokens follow.</summary>
    public static JsonObject ByteLevel()
    {
        var vocabulary = new JsonObject();
        for (var value = 0; value < 256; value++)
        {
            vocabulary.Add(ByteAlphabet.Encode([(byte)value]), value);
        }

        foreach (var (token, id) in new[] { ("he", 256), ("ll", 257), ("hell", 258) })
        {
            vocabulary.Add(token, id);
        }

        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(Added(259, "<|end|>"), Added(260, "<|begin|>")),
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray("h e", "l l", "he ll") },
        };
    }

    /// <summary>Spaces as U+2581, byte tokens (ids 3 to 258) for what is not in the vocabulary, and a begin token.</summary>
    public static JsonObject Spaced()
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0, ["<s>"] = 1, ["</s>"] = 2 };
        for (var value = 0; value < 256; value++)
        {
            vocabulary.Add($"<0x{value:X2}>", 3 + value);
        }

        foreach (var token in (ReadOnlySpan<string>)["\u2581", "a", "b", "c", "<", "s", ">", "/", "\u2581a", "ab", "\u2581ab", "\u2581\u2581"])
        {
            vocabulary.Add(token, vocabulary.Count);
        }

        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(Added(0, "<unk>"), Added(1, "<s>"), Added(2, "</s>")),
            ["normalizer"] = JsonNode.Parse("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},{"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]}"""),
            ["post_processor"] = JsonNode.Parse("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}"""),
            ["decoder"] = JsonNode.Parse("""{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = vocabulary,
                ["merges"] = JsonNode.Parse("""[["\u2581","a"],["a","b"],["\u2581a","b"],["\u2581","\u2581"]]"""),
            },
        };
    }

    public static JsonObject Added(int id, string content, bool special = true, string? flag = null)
    {
        var token = new JsonObject { ["id"] = id, ["content"] = content, ["special"] = special, ["normalized"] = false };
        if (flag is not null)
        {
            token[flag] = true;
        }

        return token;
    }

    public static ModelTokenizer Load(JsonNode json)
    {
        using var folder = new ScratchFolder();
        folder.Write("tokenizer.json", json.ToJsonString());
        return ModelTokenizer.Load(folder.Path);
    }

    public static JsonNode Parse(string json) => JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { MaxDepth = 64 })!;
}
