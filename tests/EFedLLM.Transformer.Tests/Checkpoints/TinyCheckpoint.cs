using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Checkpoints;

/// <summary>Writes checkpoints of a few hundred weights, in which every value tells where it belongs.</summary>
internal static class TinyCheckpoint
{
    public const string Llama = """
        {"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":11,"hidden_size":8,"intermediate_size":12,
         "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,
         "rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false,"eos_token_id":2}
        """;

    /// <summary>The Llama configuration with some keys set (JSON) or, with a value of null, taken out.</summary>
    public static string With(params (string Key, string? Json)[] changes)
    {
        var config = JsonNode.Parse(Llama)!.AsObject();
        foreach (var (key, json) in changes)
        {
            config.Remove(key);
            if (json is not null)
            {
                config.Add(key, JsonNode.Parse(json));
            }
        }

        return config.ToJsonString();
    }

    /// <summary>Every tensor that a configuration calls for.</summary>
    public static Dictionary<string, int[]> Tensors(ScratchFolder folder, string config)
    {
        folder.Write("config.json", config);
        var shape = ConfigReader.Read(folder.Path, ConfigReader.ReadBytes(folder.Path));
        var tensors = new Dictionary<string, int[]>();
        foreach (var (name, dimensions) in Enumerable.Range(0, shape.Units).SelectMany(unit => CheckpointLayout.Tensors(shape, unit)))
        {
            tensors.TryAdd(name, dimensions);
        }

        return tensors;
    }

    public static float Value(string tensor, int index) => (tensor.Aggregate(0, (sum, character) => (sum * 31 + character) % 509) + index) / 64f;

    public static void Write(ScratchFolder folder, string config) => WriteWeights(folder, "model.safetensors", Tensors(folder, config));

    public static void WriteWeights(ScratchFolder folder, string name, IReadOnlyDictionary<string, int[]> tensors, Func<string, int, float>? value = null)
    {
        using var stream = File.Create(folder.File(name));
        var writer = new SafetensorsWriter(stream, tensors.Select(tensor =>
            (tensor.Key, SafetensorsType.F32, tensor.Value.Select(dimension => (long)dimension).ToImmutableArray())));
        foreach (var tensor in writer.Tensors)
        {
            var values = Enumerable.Range(0, (int)tensor.Elements).Select(i => (value ?? Value)(tensor.Name, i)).ToArray();
            writer.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }

        writer.Finish();
    }
}
