using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Checkpoints.Gguf;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Blocks;
using EFedLLM.Transformer.Tests.Checkpoints;

namespace EFedLLM.Transformer.Tests.Gguf;

/// <summary>Whole models, written as GGUF by the test and read again.</summary>
public sealed class GgufModelTests : IDisposable
{
    private const string Wide = """{"hidden_size":256,"intermediate_size":512,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":67}""";

    private readonly ScratchFolder _folder = new();

    public static TheoryData<string, string, string> Models { get; } = CreateModels();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Models))]
    public void A_model_computes_as_the_checkpoint_of_the_weights_that_its_blocks_stand_for(string architecture, string changes, string type)
    {
        using var original = new RandomCheckpoint(31, [.. Changes(Wide), .. Changes(changes)]);
        var (writer, weights) = GgufExport.Write(original.Source, architecture, Enum.Parse<GgufType>(type));
        using var model = Checkpoint.Open(_folder.Write("model.gguf", writer.ToArray()));

        Assert.Equal(original.Shape with { EndTokens = default }, model.Shape with { EndTokens = default });
        using var reference = Reference(original, weights);
        foreach (var (name, values) in weights)
        {
            var dimensions = Enumerable.Range(0, model.Shape.Units).SelectMany(unit => CheckpointLayout.Tensors(model.Shape, unit)).First(tensor => tensor.Name == name).Shape;
            Assert.Equal(values, model.Read(name, dimensions));
        }

        var tokens = original.Tokens(32, 24);
        var (expected, actual) = (Logits(reference, tokens), Logits(model, tokens));
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-3, $"logit {i}: {actual[i]} instead of {expected[i]}");
        }

        Assert.Contains(expected, logit => Math.Abs(logit) > 0.1);
    }

    [SharedTheory]
    [InlineData("F16")]
    [InlineData("Q8_0")]
    [InlineData("Q4_0")]
    public void A_real_model_computes_as_the_checkpoint_of_the_weights_that_its_blocks_stand_for(string type)
    {
        using var source = Checkpoint.Open(SharedModels.Model("stories260K"));
        var (writer, weights) = GgufExport.Write(source, "llama", Enum.Parse<GgufType>(type));
        using var model = Checkpoint.Open(_folder.Write("model.gguf", writer.AddSentencePiece(source.Folder).ToArray()));
        File.Copy(Path.Combine(source.Folder, "config.json"), _folder.File("config.json"));
        using var reference = Reference(_folder, source.Shape, weights);
        Assert.Equal(source.Shape with { EndTokens = default }, model.Shape with { EndTokens = default });
        Assert.Equal([2], model.Shape.EndTokens.AsEnumerable());

        var ids = SharedModels.Golden("stories260K").GetProperty("prompts")[0].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
        var (expected, actual) = (Logits(reference, ids), Logits(model, ids));

        Assert.All(expected.Zip(actual), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= 1e-3, $"{pair.Second} instead of {pair.First}"));
    }

    [Fact]
    public void What_a_file_is_called_does_not_matter_but_everything_in_it_does()
    {
        using var original = new RandomCheckpoint(33, Changes(Wide));
        var ids = new List<ModelId>();
        foreach (var (name, architecture, type, alignment, version) in new[]
        {
            ("a.gguf", "llama", GgufType.Q8_0, 32, 3u), ("b.bin", "llama", GgufType.Q8_0, 256, 2u), ("c.gguf", "llama", GgufType.Q5_K, 32, 3u),
        })
        {
            var writer = GgufExport.Write(original.Source, architecture, type).File;
            (writer.Alignment, writer.Version) = (alignment, version);
            using var model = Checkpoint.Open(_folder.Write(name, writer.ToArray()));
            ids.Add(model.Id);
        }

        Assert.Equal(ids[0], ids[1]);
        Assert.NotEqual(ids[0], ids[2]);
        Assert.NotEqual(ids[0], original.Source.Id);
    }

    private static TheoryData<string, string, string> CreateModels()
    {
        const string Qwen2 = """{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","tie_word_embeddings":true}""";
        const string Qwen3 = """{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","head_dim":48,"rope_theta":1000000.0}""";
        var models = new TheoryData<string, string, string>();
        foreach (var type in Enum.GetNames<GgufType>())
        {
            models.Add("llama", "{}", type);
        }

        foreach (var type in (ReadOnlySpan<string>)["F32", "Q4_K", "Q6_K"])
        {
            models.Add("qwen2", Qwen2, type);
            models.Add("qwen3", Qwen3, type);
        }

        models.Add("llama", """{"tie_word_embeddings":true,"head_dim":32}""", "Q5_K");
        models.Add("llama", """{"attention_bias":true,"mlp_bias":true}""", "Q4_1");
        models.Add("llama", """{"rope_scaling":{"rope_type":"linear","factor":4.0}}""", "BF16");
        models.Add("llama", """{"rope_scaling":{"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192},"rope_theta":500000.0}""", "Q8_0");
        return models;
    }

    private static (string Key, string? Json)[] Changes(string json) =>
        [.. System.Text.Json.JsonDocument.Parse(json).RootElement.EnumerateObject().Select(property => (property.Name, (string?)property.Value.GetRawText()))];

    private static Checkpoint Reference(RandomCheckpoint original, Dictionary<string, float[]> weights)
    {
        using var folder = new ScratchFolder();
        File.Copy(Path.Combine(original.Source.Folder, "config.json"), folder.File("config.json"));
        return Reference(folder, original.Shape, weights);
    }

    private static Checkpoint Reference(ScratchFolder folder, ModelShape shape, Dictionary<string, float[]> weights)
    {
        var tensors = Enumerable.Range(0, shape.Units).SelectMany(unit => CheckpointLayout.Tensors(shape, unit)).DistinctBy(tensor => tensor.Name).ToDictionary(tensor => tensor.Name, tensor => tensor.Shape);
        TinyCheckpoint.WriteWeights(folder, "model.safetensors", tensors, (name, index) => weights[name][index]);
        return Checkpoint.Open(folder.Path);
    }

    private static float[] Logits(Checkpoint model, int[] tokens)
    {
        using var team = new ComputeTeam(1);
        using var pipeline = new ShardPipeline(model, team);
        return pipeline.Feed(tokens, chunk: 16);
    }
}
