using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Tokenizers;

/// <summary>Ids and texts compared with those of the reference implementations.</summary>
public sealed class GoldenTokenizerTests
{
    [SharedTheory]
    [InlineData("tokenizer-llama2")]
    [InlineData("tokenizer-smollm2")]
    [InlineData("efed-mini")]
    [InlineData("stories260K")]
    [InlineData("stories3M")]
    [InlineData("babyllama-105")]
    public void Texts_get_the_ids_and_ids_the_texts_of_the_reference(string model)
    {
        var tokenizer = ModelTokenizer.Load(SharedModels.Model(model));

        AssertCases(tokenizer, SharedModels.Golden(model), writesSpecial: model == "efed-mini");
    }

    [SharedTheory]
    [InlineData("tokenizer-llama2")]
    [InlineData("stories3M")]
    public void A_sentencepiece_model_gives_the_same_where_there_is_no_tokenizer_json(string model)
    {
        using var folder = new ScratchFolder();
        File.Copy(Path.Combine(SharedModels.Model(model), "tokenizer.model"), folder.File("tokenizer.model"));
        var tokenizer = ModelTokenizer.Load(folder.Path);

        AssertCases(tokenizer, SharedModels.Golden(model));
    }

    [SharedTheory]
    [InlineData("efed-mini")]
    [InlineData("stories260K")]
    [InlineData("stories3M")]
    [InlineData("babyllama-105")]
    public void Prompts_get_the_ids_of_the_reference(string model)
    {
        var tokenizer = ModelTokenizer.Load(SharedModels.Model(model));
        foreach (var prompt in SharedModels.Golden(model).GetProperty("prompts").EnumerateArray())
        {
            Assert.Equal(Ids(prompt.GetProperty("ids")), tokenizer.Encode(prompt.GetProperty("text").GetString()!));
            var isChat = model == "efed-mini";
            Assert.Equal(prompt.GetProperty("greedy_text").GetString(), Continuation(tokenizer, prompt, skipSpecial: !isChat));
        }
    }

    [SharedTheory]
    [InlineData("efed-mini")]
    [InlineData("stories260K")]
    [InlineData("stories3M")]
    [InlineData("babyllama-105")]
    public void Whole_texts_get_the_ids_of_the_reference_quickly(string model)
    {
        var tokenizer = ModelTokenizer.Load(SharedModels.Model(model));
        foreach (var entry in SharedModels.Golden(model).GetProperty("perplexity").EnumerateArray())
        {
            var name = entry.GetProperty("text").GetString()!;
            var path = model == "efed-mini" ? Path.Combine(SharedModels.Model(model), name) : Path.Combine(SharedModels.Root!, name);
            var watch = Stopwatch.StartNew();
            var ids = tokenizer.Encode(File.ReadAllText(path), addSpecial: false);
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{name} took {watch.Elapsed}.");
            Assert.Equal(entry.GetProperty("tokens_in_text").GetInt32(), ids.Length);
            var scored = ids.Skip(entry.GetProperty("skip_tokens").GetInt32()).Take(entry.GetProperty("tokens_scored").GetInt32());
            Assert.Equal(entry.GetProperty("ids_sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join(',', scored)))));
        }
    }

    private static void AssertCases(ModelTokenizer tokenizer, JsonElement golden, bool writesSpecial = false)
    {
        var cases = golden.TryGetProperty("cases", out var named) ? named : golden.GetProperty("tokenizer_cases");
        foreach (var entry in cases.EnumerateArray())
        {
            var text = entry.GetProperty("text").GetString()!;
            var ids = tokenizer.Encode(text);
            Assert.True(Ids(entry.GetProperty("ids")).SequenceEqual(ids), $"\"{text}\" became {string.Join(", ", ids)} instead of {entry.GetProperty("ids").GetRawText()}.");
            var decoded = (entry.TryGetProperty("decoded_skip_special", out var skipped) ? skipped : entry.GetProperty("decoded")).GetString();
            Assert.Equal(decoded, tokenizer.Decode(ids, skipSpecial: !writesSpecial));
        }
    }

    /// <summary>The text of the continuation alone: what the ids add to the prompt's text.</summary>
    private static string Continuation(ModelTokenizer tokenizer, JsonElement prompt, bool skipSpecial)
    {
        var before = Ids(prompt.GetProperty("ids"));
        return tokenizer.Decode([.. before, .. Ids(prompt.GetProperty("greedy_ids"))], skipSpecial)[tokenizer.Decode(before, skipSpecial).Length..];
    }

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}
