using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Compression.Tests.Quantization;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Tests;

/// <summary>A checkpoint of some ten thousand random weights, with every kind of tensor that the layout knows.</summary>
internal static class SmallCheckpoint
{
    /// <summary>Qwen2 has biases; widths are no multiples of any group or block.</summary>
    private const string Config = """
        {"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","vocab_size":53,"hidden_size":40,"intermediate_size":72,
         "num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":KEYS,"max_position_embeddings":64,
         "rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":TIED,"eos_token_id":2}
        """;

    public static string Write(string folder, bool tied = false, int keys = 4, int seed = 1, (string Tensor, float Value)? poison = null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), Config.Replace("KEYS", $"{keys}").Replace("TIED", tied ? "true" : "false"));
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), "{}");
        File.WriteAllText(Path.Combine(folder, "README.md"), "not a companion");
        var shape = Shape(tied, keys);
        var tensors = Enumerable.Range(0, shape.Units).SelectMany(unit => CheckpointLayout.Tensors(shape, unit)).DistinctBy(tensor => tensor.Name).ToList();
        using var stream = File.Create(Path.Combine(folder, "model.safetensors"));
        var writer = new SafetensorsWriter(stream, tensors.Select(tensor =>
            (tensor.Name, SafetensorsType.F32, tensor.Shape.Select(dimension => (long)dimension).ToImmutableArray())));
        foreach (var tensor in writer.Tensors)
        {
            var values = GroupQuantizerTests.Gaussian((int)tensor.Elements, seed++);
            if (poison is { } bad && bad.Tensor == tensor.Name)
            {
                values[^1] = bad.Value;
            }

            writer.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }

        writer.Finish();
        return folder;
    }

    private static ModelShape Shape(bool tied, int keys) => new()
    {
        Architecture = "Qwen2ForCausalLM",
        VocabularySize = 53,
        HiddenSize = 40,
        IntermediateSize = 72,
        Layers = 3,
        Heads = 4,
        KeyValueHeads = keys,
        HeadSize = 10,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
        TiedEmbeddings = tied,
        QueryKeyValueBias = true,
    };
}
