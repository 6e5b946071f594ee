using System.Collections.Frozen;
using System.Globalization;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>The names that llama.cpp's conversion gives to the tensors of <see cref="CheckpointLayout"/> (gguf-py, <c>TENSOR_NAMES</c>).</summary>
internal static class GgufNames
{
    public const string Embedding = "token_embd.weight";
    public const string Head = "output.weight";
    public const string RopeFactors = "rope_freqs.weight";
    private const string LayerPrefix = "model.layers.";
    private const string BlockPrefix = "blk.";

    private static readonly FrozenDictionary<string, string> Whole = new Dictionary<string, string>
    {
        [CheckpointLayout.Embedding] = Embedding,
        [CheckpointLayout.FinalNorm] = "output_norm.weight",
        ["lm_head.weight"] = Head,
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, string> Parts = new Dictionary<string, string>
    {
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["post_attention_layernorm"] = "ffn_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
    }.ToFrozenDictionary();

    /// <summary>Tensors outside the layers that would change the result, but that no model here has a place for.</summary>
    private static readonly FrozenSet<string> Steering = FrozenSet.Create(
        "output.bias", "output_norm.bias", "token_embd_norm.weight", "token_embd_norm.bias", "position_embd.weight", "token_types.weight",
        "rope_factors_long.weight", "rope_factors_short.weight");

    /// <summary>The file's name for a tensor, or null where it has none for such a one.</summary>
    public static string? Of(string tensor)
    {
        if (Whole.TryGetValue(tensor, out var whole))
        {
            return whole;
        }

        if (!tensor.StartsWith(LayerPrefix, StringComparison.Ordinal))
        {
            return null;
        }

        var rest = tensor.AsSpan(LayerPrefix.Length);
        var first = rest.IndexOf('.');
        var last = rest.LastIndexOf('.');
        return first >= 0 && last > first && Parts.TryGetValue(rest[(first + 1)..last].ToString(), out var part)
            ? $"{BlockPrefix}{rest[..first]}.{part}{rest[last..]}"
            : null;
    }

    /// <summary>A tensor of a layer (0-based).</summary>
    public static string Block(int layer, string name) => string.Create(CultureInfo.InvariantCulture, $"{BlockPrefix}{layer}.{name}");

    /// <summary>
    /// Whether a tensor that the model has no place for would change its result: one of a layer that it has, but for the
    /// rotary frequencies that old conversions wrote down, or one of a few others. Those of a vision part, say, would not.
    /// </summary>
    public static bool Steers(string name, int layers)
    {
        if (!name.StartsWith(BlockPrefix, StringComparison.Ordinal))
        {
            return Steering.Contains(name);
        }

        var rest = name.AsSpan(BlockPrefix.Length);
        var dot = rest.IndexOf('.');
        return dot > 0 && int.TryParse(rest[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var layer) && layer < layers
            && !rest[(dot + 1)..].StartsWith("attn_rot_embd", StringComparison.Ordinal);
    }
}
