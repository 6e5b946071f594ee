using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Checkpoints.Gguf;

namespace EFedLLM.Transformer.Tests.Gguf;

/// <summary>
/// Writes a checkpoint as llama.cpp's convert_hf_to_gguf.py does: its keys, its tensor names, vectors in float32, and for
/// the architecture llama the rows of q and k in the order of interleaved rotary embedding.
/// </summary>
internal static class GgufExport
{
    private static readonly Dictionary<string, string> Parts = new()
    {
        ["input_layernorm"] = "attn_norm",
        ["post_attention_layernorm"] = "ffn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
    };

    /// <summary>The file, and the weights that its blocks stand for, under their names and in their order in the checkpoint.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="architecture">llama, qwen2 or qwen3.</param>
    /// <param name="type">The type of the matrices; one whose rows do not fill its blocks becomes F16.</param>
    public static (GgufWriter File, Dictionary<string, float[]> Weights) Write(Checkpoint source, string architecture, GgufType type)
    {
        var shape = source.Shape;
        var writer = new GgufWriter();
        AddShape(writer, shape, architecture);
        var weights = new Dictionary<string, float[]>();
        foreach (var (name, dimensions) in Enumerable.Range(0, shape.Units).SelectMany(unit => CheckpointLayout.Tensors(shape, unit)).DistinctBy(tensor => tensor.Name))
        {
            var values = source.Read(name, dimensions);
            var own = dimensions.Length == 1 ? GgufType.F32 : dimensions[^1] % PlainBlocks.Elements(type) == 0 ? type : GgufType.F16;
            var heads = architecture != "llama" ? 0 : name.Contains("q_proj") ? shape.Heads : name.Contains("k_proj") ? shape.KeyValueHeads : 0;
            var rows = values.Chunk(dimensions.Length == 1 ? 1 : dimensions[1]).Select(row => BlockWriter.Encode(own, row)).ToArray();
            weights.Add(name, PlainBlocks.Decode(own, [.. rows.SelectMany(row => row)]));
            byte[] data = [.. Permuted(rows, heads).SelectMany(row => row)];
            writer.AddTensor(NameOf(name), (uint)own, [.. dimensions.Select(dimension => (long)dimension)], data);
        }

        return (writer, weights);
    }

    public static string NameOf(string tensor)
    {
        switch (tensor)
        {
            case "model.embed_tokens.weight":
                return "token_embd.weight";
            case "model.norm.weight":
                return "output_norm.weight";
            case "lm_head.weight":
                return "output.weight";
            default:
                // model.layers.N.part.part.weight
                var words = tensor.Split('.');
                return $"blk.{words[2]}.{Parts[string.Join('.', words[3..^1])]}.{words[^1]}";
        }
    }

    /// <summary>reshape(heads, 2, half, width).swapaxes(1, 2): value i of the first half of a head, then value i of the second.</summary>
    private static byte[][] Permuted(byte[][] rows, int heads)
    {
        if (heads == 0)
        {
            return rows;
        }

        var half = rows.Length / heads / 2;
        var places =
            from head in Enumerable.Range(0, heads)
            from i in Enumerable.Range(0, half)
            from side in Enumerable.Range(0, 2)
            select rows[(head * 2 + side) * half + i];
        return [.. places];
    }

    private static void AddShape(GgufWriter writer, ModelShape shape, string architecture)
    {
        writer
            .Add("general.architecture", architecture)
            .Add("general.type", "model")
            .Add("general.name", "A test")
            .Add("general.quantization_version", 2u)
            .Add("general.tags", ["text-generation"])
            .Add($"{architecture}.block_count", (uint)shape.Layers)
            .Add($"{architecture}.context_length", (uint)shape.ContextLength)
            .Add($"{architecture}.embedding_length", (uint)shape.HiddenSize)
            .Add($"{architecture}.feed_forward_length", (uint)shape.IntermediateSize)
            .Add($"{architecture}.attention.head_count", (uint)shape.Heads)
            .Add($"{architecture}.attention.head_count_kv", (uint)shape.KeyValueHeads)
            .Add($"{architecture}.rope.freq_base", (float)shape.Rope.Theta)
            .Add($"{architecture}.attention.layer_norm_rms_epsilon", shape.NormEpsilon)
            .Add($"{architecture}.attention.key_length", (uint)shape.HeadSize)
            .Add($"{architecture}.attention.value_length", (uint)shape.HeadSize);
        if (architecture == "llama")
        {
            writer.Add("llama.vocab_size", (uint)shape.VocabularySize).Add("llama.rope.dimension_count", (uint)shape.HeadSize);
        }

        if (shape.Rope.Scaling is { Kind: RopeScalingKind.Linear } linear)
        {
            writer.Add($"{architecture}.rope.scaling.type", "linear").Add($"{architecture}.rope.scaling.factor", (float)linear.Factor);
        }
        else if (shape.Rope.Scaling is { } llama3)
        {
            writer.AddTensor("rope_freqs.weight", 0, [shape.HeadSize / 2], [.. Factors(llama3, shape.Rope.Theta, shape.HeadSize).SelectMany(BitConverter.GetBytes)]);
        }
    }

    /// <summary>What the conversion writes for Llama 3.1's stretching, in float32 as it does.</summary>
    private static IEnumerable<float> Factors(RopeScaling scaling, double theta, int headSize)
    {
        for (var i = 0; i < headSize; i += 2)
        {
            var frequency = 1 / MathF.Pow((float)theta, (float)i / headSize);
            var wavelength = 2 * MathF.PI / frequency;
            if (wavelength < scaling.OriginalContextLength / scaling.HighFrequencyFactor)
            {
                yield return 1;
            }
            else if (wavelength > scaling.OriginalContextLength / scaling.LowFrequencyFactor)
            {
                yield return (float)scaling.Factor;
            }
            else
            {
                var smooth = (scaling.OriginalContextLength / wavelength - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
                yield return (float)(1 / ((1 - smooth) / scaling.Factor + smooth));
            }
        }
    }
}
