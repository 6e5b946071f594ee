using System.Text.Json;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Gguf;

/// <summary>Adds a tokenizer to a GGUF file as llama.cpp's convert_hf_to_gguf.py does.</summary>
internal static class GgufVocabularyExport
{
    /// <summary>The pieces of a <c>tokenizer.model</c>, with their scores and kinds.</summary>
    public static GgufWriter AddSentencePiece(this GgufWriter writer, string folder)
    {
        var path = Path.Combine(folder, "tokenizer.model");
        var model = SentencePieceModel.Parse(File.ReadAllBytes(path), path);
        return writer
            .Add("tokenizer.ggml.model", "llama")
            .Add("tokenizer.ggml.pre", "default")
            .Add("tokenizer.ggml.tokens", [.. model.Pieces.Select(piece => piece.Text)])
            .Add("tokenizer.ggml.scores", [.. model.Pieces.Select(piece => piece.Score)])
            .Add("tokenizer.ggml.token_type", [.. model.Pieces.Select(piece => (int)piece.Kind)])
            .Add("tokenizer.ggml.bos_token_id", 1u)
            .Add("tokenizer.ggml.eos_token_id", 2u)
            .Add("tokenizer.ggml.unknown_token_id", 0u)
            .Add("tokenizer.ggml.add_bos_token", true)
            .Add("tokenizer.ggml.add_eos_token", false);
    }

    /// <summary>The tokens and merges of a <c>tokenizer.json</c> with a byte-level byte-pair model.</summary>
    public static GgufWriter AddBytePairs(this GgufWriter writer, string folder, string pre)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        var model = json.RootElement.GetProperty("model");
        var added = json.RootElement.GetProperty("added_tokens").EnumerateArray()
            .ToDictionary(token => token.GetProperty("id").GetInt32(), token => (Text: token.GetProperty("content").GetString()!, Special: token.GetProperty("special").GetBoolean()));
        var vocabulary = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Value.GetInt32(), entry => entry.Name);
        var count = Math.Max(vocabulary.Keys.Max(), added.Count == 0 ? 0 : added.Keys.Max()) + 1;
        var ids = Enumerable.Range(0, count).ToArray();
        return writer
            .Add("tokenizer.ggml.model", "gpt2")
            .Add("tokenizer.ggml.pre", pre)
            .Add("tokenizer.ggml.tokens", [.. ids.Select(id => added.TryGetValue(id, out var token) ? token.Text : vocabulary.TryGetValue(id, out var text) ? text : $"[PAD{id}]")])
            .Add("tokenizer.ggml.token_type", [.. ids.Select(id => added.TryGetValue(id, out var token) ? token.Special ? 3 : 4 : vocabulary.ContainsKey(id) ? 1 : 5)])
            .Add("tokenizer.ggml.merges", [.. model.GetProperty("merges").EnumerateArray().Select(merge =>
                merge.ValueKind == JsonValueKind.String ? merge.GetString()! : $"{merge[0].GetString()} {merge[1].GetString()}")]);
    }
}
