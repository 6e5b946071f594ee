using System.Runtime.InteropServices;
using System.Text;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Tests;

/// <summary>Writes a Qwen2 checkpoint as a GGUF file of float32 tensors, with a tokenizer of bytes and one merge.</summary>
internal static class GgufCheckpoint
{
    private static readonly Dictionary<string, string> Parts = new()
    {
        ["input_layernorm"] = "attn_norm", ["post_attention_layernorm"] = "ffn_norm", ["self_attn.q_proj"] = "attn_q", ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v", ["self_attn.o_proj"] = "attn_output", ["mlp.gate_proj"] = "ffn_gate", ["mlp.up_proj"] = "ffn_up", ["mlp.down_proj"] = "ffn_down",
    };

    public static string Write(string path, Checkpoint source)
    {
        var shape = source.Shape;
        var tensors = Enumerable.Range(0, shape.Units).SelectMany(unit => CheckpointLayout.Tensors(shape, unit)).DistinctBy(tensor => tensor.Name).ToList();
        List<(string Key, Action<BinaryWriter> Write)> values =
        [
            ("general.architecture", Text("qwen2")), ("qwen2.block_count", Number(shape.Layers)), ("qwen2.context_length", Number(shape.ContextLength)),
            ("qwen2.embedding_length", Number(shape.HiddenSize)), ("qwen2.feed_forward_length", Number(shape.IntermediateSize)),
            ("qwen2.attention.head_count", Number(shape.Heads)), ("qwen2.attention.head_count_kv", Number(shape.KeyValueHeads)),
            ("qwen2.attention.layer_norm_rms_epsilon", Real(shape.NormEpsilon)), ("qwen2.rope.freq_base", Real((float)shape.Rope.Theta)),
            ("tokenizer.ggml.model", Text("gpt2")), ("tokenizer.ggml.pre", Text("qwen2")), ("tokenizer.ggml.eos_token_id", Number(2)),
            ("tokenizer.ggml.tokens", Texts(["a", "b", "<|im_end|>", "ab"])), ("tokenizer.ggml.merges", Texts(["a b"])),
        ];
        using var stream = File.Create(path);
        using var writer = new BinaryWriter(stream);
        writer.Write("GGUF"u8);
        writer.Write(3);
        writer.Write((long)tensors.Count);
        writer.Write((long)values.Count);
        foreach (var (key, write) in values)
        {
            WriteText(writer, key);
            write(writer);
        }

        var offset = 0L;
        foreach (var (name, dimensions) in tensors)
        {
            WriteText(writer, NameOf(name));
            writer.Write(dimensions.Length);
            foreach (var dimension in dimensions.Reverse())
            {
                writer.Write((long)dimension);
            }

            writer.Write(0);
            writer.Write(offset);
            offset += Padded(dimensions.Aggregate(4L, (bytes, dimension) => bytes * dimension));
        }

        writer.Flush();
        foreach (var (name, dimensions) in tensors)
        {
            Pad(stream);
            writer.Write(MemoryMarshal.AsBytes(source.Read(name, dimensions).AsSpan()));
            writer.Flush();
        }

        return path;
    }

    private static string NameOf(string tensor)
    {
        var words = tensor.Split('.');
        return tensor switch
        {
            CheckpointLayout.Embedding => "token_embd.weight",
            CheckpointLayout.FinalNorm => "output_norm.weight",
            "lm_head.weight" => "output.weight",
            _ => $"blk.{words[2]}.{Parts[string.Join('.', words[3..^1])]}.{words[^1]}",
        };
    }

    private static long Padded(long length) => (length + 31) / 32 * 32;

    private static void Pad(FileStream stream) => stream.Write(new byte[Padded(stream.Position) - stream.Position]);

    private static void WriteText(BinaryWriter writer, string text)
    {
        writer.Write(Encoding.UTF8.GetByteCount(text) + 0L);
        writer.Write(Encoding.UTF8.GetBytes(text));
    }

    private static Action<BinaryWriter> Number(int value) => writer =>
    {
        writer.Write(4);
        writer.Write(value);
    };

    private static Action<BinaryWriter> Real(float value) => writer =>
    {
        writer.Write(6);
        writer.Write(value);
    };

    private static Action<BinaryWriter> Text(string value) => writer =>
    {
        writer.Write(8);
        WriteText(writer, value);
    };

    private static Action<BinaryWriter> Texts(string[] values) => writer =>
    {
        writer.Write(9);
        writer.Write(8);
        writer.Write((long)values.Length);
        Array.ForEach(values, value => WriteText(writer, value));
    };
}
