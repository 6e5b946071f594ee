using System.Text.Json;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Generation;

/// <summary>Real checkpoints in float32 against the reference implementations' numbers.</summary>
public sealed class GoldenModelTests
{
    private const int GreedyTokens = 64;

    public static TheoryData<string> Models { get; } = new(SharedModels.LlamaModels);

    [SharedTheory]
    [MemberData(nameof(Models))]
    public void Prompts_get_the_reference_s_ids_logits_and_greedy_tokens(string model)
    {
        using var source = Checkpoint.Open(SharedModels.Model(model));
        using var team = new ComputeTeam(2);
        using var generator = new LocalGenerator(source, team);
        using var shard = TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers));
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var settings = new GenerationSettings { MaxTokens = GreedyTokens, IgnoreEndTokens = true };
        foreach (var prompt in SharedModels.Golden(model).GetProperty("prompts").EnumerateArray())
        {
            var ids = tokenizer.Encode(prompt.GetProperty("text").GetString()!);
            Assert.Equal(Ids(prompt.GetProperty("ids")), ids);
            AssertLogits(prompt, Logits(shard, ids, team));

            var outputs = generator.Generate(ids, settings, tokenizer).ToArray();
            Assert.Equal(Ids(prompt.GetProperty("greedy_ids")), outputs.OfType<GeneratedToken>().Select(token => token.Choice.Id));
            Assert.Equal(FinishReason.Length, Assert.IsType<GenerationEnd>(outputs[^1]).Reason);
        }
    }

    [SharedTheory]
    [MemberData(nameof(Models))]
    public void Texts_get_the_reference_s_perplexity(string model)
    {
        using var source = Checkpoint.Open(SharedModels.Model(model));
        using var team = new ComputeTeam(2);
        using var meter = new PerplexityMeter(source, team);
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var startToken = source.Shape.BeginToken ?? tokenizer.TokenId("<|endoftext|>")!.Value;
        foreach (var entry in SharedModels.Golden(model).GetProperty("perplexity").EnumerateArray())
        {
            var name = entry.GetProperty("text").GetString()!;
            var path = File.Exists(Path.Combine(source.Folder, name)) ? Path.Combine(source.Folder, name) : Path.Combine(SharedModels.Root!, name);
            var ids = tokenizer.Encode(File.ReadAllText(path), addSpecial: false);
            var scored = ids.AsMemory(entry.GetProperty("skip_tokens").GetInt32(), entry.GetProperty("tokens_scored").GetInt32());

            var result = meter.Measure(scored, startToken, entry.GetProperty("chunk").GetInt32());

            var expected = entry.GetProperty("perplexity").GetDouble();
            Assert.True(Math.Abs(result.Perplexity / expected - 1) < 1e-3, $"{name}: {result.Perplexity} instead of {expected}.");
            var chunks = entry.GetProperty("chunk_mean_nll").EnumerateArray().Select(chunk => chunk.GetDouble()).ToArray();
            Assert.Equal(chunks.Length, result.ChunkMeanNll.Length);
            Assert.All(chunks.Zip(result.ChunkMeanNll), pair => Assert.Equal(pair.First, pair.Second, 1e-3));
        }
    }

    private static float[] Logits(TransformerShard shard, int[] ids, ComputeTeam team)
    {
        using var cache = shard.CreateCache(ids.Length);
        var logits = new float[shard.Shape.VocabularySize];
        shard.Forward([new ShardStep { Cache = cache, Count = ids.Length, Tokens = ids, LogitRows = 1, Logits = logits }], team);
        return logits;
    }

    private static void AssertLogits(JsonElement prompt, float[] logits)
    {
        var best = Enumerable.Range(0, logits.Length).OrderByDescending(id => logits[id]).Take(10).ToArray();
        var expected = prompt.GetProperty("top10").EnumerateArray().Select(pair => (Id: pair[0].GetInt32(), Logit: pair[1].GetDouble())).ToArray();
        Assert.Equal(expected.Select(pair => pair.Id), best);
        // The reference keeps keys and values in float32, the shard as halves.
        Assert.All(expected, pair => Assert.Equal(pair.Logit, logits[pair.Id], 1e-2));
    }

    private static int[] Ids(JsonElement ids) => [.. ids.EnumerateArray().Select(id => id.GetInt32())];
}
