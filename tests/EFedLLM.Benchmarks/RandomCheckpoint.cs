using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;
using EFedLLM.Compression;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Benchmarks;

/// <summary>A checkpoint of random weights in a known shape, written as bfloat16: what a compression of that size is timed on.</summary>
internal static class RandomCheckpoint
{
    // What trained checkpoints are initialised with, and what keeps activations of a deep model finite.
    private const double Deviation = 0.02;
    private const int Seed = 1;

    /// <summary>Writes config.json, model.safetensors and the tokenizer; the folder must be new.</summary>
    public static void Write(ModelShape shape, string folder, string tokenizer)
    {
        Directory.CreateDirectory(folder);
        File.Copy(tokenizer, Path.Combine(folder, "tokenizer.json"));
        File.WriteAllBytes(Path.Combine(folder, "config.json"), JsonSerializer.SerializeToUtf8Bytes(new
        {
            architectures = new[] { shape.Architecture },
            model_type = "llama",
            vocab_size = shape.VocabularySize,
            hidden_size = shape.HiddenSize,
            intermediate_size = shape.IntermediateSize,
            num_hidden_layers = shape.Layers,
            num_attention_heads = shape.Heads,
            num_key_value_heads = shape.KeyValueHeads,
            max_position_embeddings = shape.ContextLength,
            rms_norm_eps = shape.NormEpsilon,
            rope_theta = shape.Rope.Theta,
            tie_word_embeddings = shape.TiedEmbeddings,
            bos_token_id = shape.BeginToken,
            eos_token_id = shape.EndTokens[0],
            hidden_act = "silu",
        }));
        using var stream = File.Create(Path.Combine(folder, "model.safetensors"));
        var writer = new SafetensorsWriter(stream, Tensors(shape).Select(tensor => (tensor.Name, SafetensorsType.BF16, tensor.Shape)));
        var random = new Random(Seed);
        while (writer.Current is { } tensor)
        {
            var matrix = tensor.Shape.Length == 2;
            var row = new byte[tensor.Shape[^1] * 2];
            for (var rows = matrix ? tensor.Shape[0] : 1; rows > 0; rows--)
            {
                Fill(row, random, matrix);
                writer.Write(row);
            }
        }

        writer.Finish();
    }

    private static void Fill(Span<byte> row, Random random, bool matrix)
    {
        for (var i = 0; i < row.Length; i += 2)
        {
            var value = 1f;
            if (matrix)
            {
                // Box and Muller's cosine: normal numbers of two uniform ones.
                value = (float)(Deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
            }

            BinaryPrimitives.WriteUInt16LittleEndian(row[i..], (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
        }
    }

    private static IEnumerable<(string Name, ImmutableArray<long> Shape)> Tensors(ModelShape shape)
    {
        long hidden = shape.HiddenSize, wide = shape.IntermediateSize, queries = shape.Heads * shape.HeadSize, keys = shape.KeyValueHeads * shape.HeadSize;
        yield return ("model.embed_tokens.weight", [shape.VocabularySize, hidden]);
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [hidden]);
            yield return (prefix + "self_attn.q_proj.weight", [queries, hidden]);
            yield return (prefix + "self_attn.k_proj.weight", [keys, hidden]);
            yield return (prefix + "self_attn.v_proj.weight", [keys, hidden]);
            yield return (prefix + "self_attn.o_proj.weight", [hidden, queries]);
            yield return (prefix + "post_attention_layernorm.weight", [hidden]);
            yield return (prefix + "mlp.gate_proj.weight", [wide, hidden]);
            yield return (prefix + "mlp.up_proj.weight", [wide, hidden]);
            yield return (prefix + "mlp.down_proj.weight", [hidden, wide]);
        }

        yield return ("model.norm.weight", [hidden]);
        if (!shape.TiedEmbeddings)
        {
            yield return ("lm_head.weight", [shape.VocabularySize, hidden]);
        }
    }
}
