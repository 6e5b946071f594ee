using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Checkpoints.Gguf;
using EFedLLM.Transformer.Tests.Blocks;
using EFedLLM.Transformer.Tests.Checkpoints;

namespace EFedLLM.Transformer.Tests.Gguf;

public sealed class GgufConfigTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_a_file_leaves_out_has_its_usual_value()
    {
        using var model = Open(writer => writer
            .Remove("llama.attention.head_count_kv").Remove("llama.rope.freq_base").Remove("llama.attention.key_length").Remove("llama.attention.value_length")
            .Remove("llama.vocab_size").Remove("llama.rope.dimension_count"), ("num_key_value_heads", "4"));

        Assert.Equal(4, model.Shape.KeyValueHeads);
        Assert.Equal(2, model.Shape.HeadSize);
        Assert.Equal(11, model.Shape.VocabularySize);
        Assert.Equal(new RopeSettings(10000), model.Shape.Rope);
        Assert.Empty(model.Shape.EndTokens);
        Assert.False(model.Shape.TiedEmbeddings);
    }

    [Fact]
    public void Numbers_may_be_of_any_width_and_one_for_each_layer()
    {
        using var model = Open(writer => writer
            .Raw("llama.block_count", GgufValueType.UInt64, value => value.Write(2UL))
            .Raw("llama.context_length", GgufValueType.UInt16, value => value.Write((ushort)96))
            .Raw("llama.rope.freq_base", GgufValueType.Float64, value => value.Write(5e5))
            .Add("llama.attention.head_count", [4, 4]).Add("llama.feed_forward_length", [12, 12]));

        Assert.Equal((2, 96, 4, 12), (model.Shape.Layers, model.Shape.ContextLength, model.Shape.Heads, model.Shape.IntermediateSize));
        Assert.Equal(5e5, model.Shape.Rope.Theta);
    }

    [Fact]
    public void A_sliding_window_is_kept_unless_it_is_wider_than_the_context()
    {
        using (var model = Open(writer => writer.Add("llama.attention.sliding_window", 16u)))
        {
            Assert.Equal((16, "MistralForCausalLM"), (model.Shape.SlidingWindow, model.Shape.Architecture));
        }

        using (var model = Open(writer => writer.Add("llama.attention.sliding_window", 64u)))
        {
            Assert.Equal((null, "LlamaForCausalLM"), (model.Shape.SlidingWindow, model.Shape.Architecture));
        }
    }

    [Fact]
    public void Biases_on_q_k_and_v_alone_are_computed_with()
    {
        using var model = Open(
            writer =>
            {
                foreach (var name in writer.Tensors.Where(name => name.EndsWith("attn_output.bias", StringComparison.Ordinal)))
                {
                    writer.RemoveTensor(name);
                }
            },
            ("attention_bias", "true"));

        Assert.True(model.Shape is { QueryKeyValueBias: true, OutputBias: false });
        Assert.NotNull(model.LoadLayer(0).Query.Bias);
    }

    [Fact]
    public void What_does_not_change_the_result_is_ignored()
    {
        using var model = Open(writer => writer
            .Add("general.whatever", "x").Add("llama.vocab_size", 12u).Add("llama.expert_count", 0u).Add("llama.rope.scaling.type", "none").Add("llama.attention.causal", true).Add("llama.logit_scale", 1f)
            .AddTensor("blk.0.attn_rot_embd.weight", 0, [1], new byte[4]).AddTensor("blk.2.attn_q.weight", 0, [1], new byte[4]).AddTensor("v.blk.0.ln1.weight", 16, [256], new byte[66])
            .AddTensor("rope_freqs.weight", 0, [1], BitConverter.GetBytes(1f)));

        Assert.Equal("LlamaForCausalLM", model.Shape.Architecture);
    }

    [Theory]
    [InlineData("general.architecture", "gemma3")]
    [InlineData("llama.rope.scaling.type", "yarn")]
    [InlineData("llama.tensor_data_layout", "other")]
    public void A_text_that_asks_for_something_else_is_refused(string key, string value) => AssertUnsupported(key, writer => writer.Add(key, value));

    [Theory]
    [InlineData("split.count", 2u)]
    [InlineData("llama.expert_count", 8u)]
    [InlineData("llama.rope.dimension_count", 1u)]
    [InlineData("llama.attention.value_length", 4u)]
    public void A_number_that_asks_for_something_else_is_refused(string key, uint value) => AssertUnsupported(key, writer => writer.Add(key, value));

    [Theory]
    [InlineData("blk.1.ffn_gate_inp.weight")]
    [InlineData("blk.0.attn_q_norm.weight")]
    [InlineData("blk.0.attn_q.scale")]
    [InlineData("output.bias")]
    [InlineData("rope_factors_long.weight")]
    public void A_tensor_that_would_change_the_result_is_refused(string name) => AssertUnsupported(name, writer => writer.AddTensor(name, 0, [1], new byte[4]));

    [Fact]
    public void Settings_that_differ_or_contradict_are_refused()
    {
        AssertUnsupported("llama.attention.head_count", writer => writer.Add("llama.attention.head_count", [4, 2]));
        AssertUnsupported("llama.attention.causal", writer => writer.Add("llama.attention.causal", false));
        AssertUnsupported("llama.attention.sliding_window", writer => writer.Add("llama.attention.sliding_window", 16u), ("attention_bias", "true"));
        AssertUnsupported("rope_freqs.weight", writer => writer.AddTensor("rope_freqs.weight", 0, [1], BitConverter.GetBytes(0.7f)));
        AssertBad("llama.block_count", writer => writer.Remove("llama.block_count"));
        AssertBad("llama.block_count", writer => writer.Add("llama.block_count", 1u << 30));
        AssertBad("llama.block_count", writer => writer.Add("llama.block_count", 2.5f));
        AssertBad("llama.block_count", writer => writer.Add("llama.block_count", "2"));
        AssertBad("llama.attention.layer_norm_rms_epsilon", writer => writer.Add("llama.attention.layer_norm_rms_epsilon", float.NaN));
        AssertBad("general.architecture", writer => writer.Remove("general.architecture"));
        AssertBad("token_embd.weight", writer => writer.RemoveTensor("token_embd.weight"));
        AssertBad("blk.1.attn_k.weight", writer => writer.RemoveTensor("blk.1.attn_k.weight"));
        AssertBad("blk.1.ffn_up.weight", writer => writer.RemoveTensor("blk.1.ffn_up.weight").AddTensor("blk.1.ffn_up.weight", 0, [12, 9], new byte[432]));
        AssertBad("rope_freqs.weight", writer => writer.AddTensor("rope_freqs.weight", 0, [2], new byte[8]));
        AssertBad("tokenizer.ggml.tokens", writer => writer.Add("tokenizer.ggml.model", "llama").Add("tokenizer.ggml.tokens", [.. Enumerable.Range(0, 12).Select(id => $"t{id}")]));
        AssertUnsupported("IQ4_NL", writer => writer.RemoveTensor("blk.1.attn_norm.weight").AddTensor("blk.1.attn_norm.weight", 20, [32], new byte[18]), ("hidden_size", "32"));
    }

    [Theory]
    [InlineData(500000, 128, 8, 1, 4, 8192)]
    [InlineData(500000, 64, 32, 1, 4, 8192)]
    [InlineData(10000, 128, 8, 1, 8, 4096)]
    [InlineData(10000, 128, 4, 2, 8, 2048)]
    public void The_parameters_of_Llama_3_s_stretching_are_found_again(double theta, int headSize, double factor, double low, double high, int length)
    {
        var scaling = new RopeScaling(RopeScalingKind.Llama3, factor, low, high, length);
        var factors = Factors(scaling, theta, headSize);

        var found = GgufRope.Llama3(factors, theta, headSize)!;

        Assert.Equal(factors, Factors(found, theta, headSize), (expected, actual) => Math.Abs(expected / actual - 1) < 1e-4);
        if (low == 1)
        {
            Assert.Equal((factor, low, length), (found.Factor, found.LowFrequencyFactor, found.OriginalContextLength));
            Assert.Equal(high, found.HighFrequencyFactor, 0.01);
        }

        factors[^1] *= 1.01;
        factors[0] *= 1.01;
        Assert.Null(GgufRope.Llama3(factors, theta, headSize));
    }

    private static double[] Factors(RopeScaling scaling, double theta, int headSize) => [.. Enumerable.Range(0, headSize / 2).Select(i =>
    {
        var wavelength = 2 * Math.PI * Math.Pow(theta, 2.0 * i / headSize);
        var smooth = Math.Clamp((scaling.OriginalContextLength / wavelength - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor), 0, 1);
        return (double)(float)(1 / ((1 - smooth) / scaling.Factor + smooth));
    })];

    private void AssertUnsupported(string what, Action<GgufWriter> change, params (string Key, string? Json)[] changes) =>
        Assert.Contains(what, Assert.Throws<NotSupportedException>(() => Open(change, changes)).Message, StringComparison.Ordinal);

    private void AssertBad(string what, Action<GgufWriter> change) =>
        Assert.Contains(what, Assert.Throws<InvalidDataException>(() => Open(change)).Message, StringComparison.Ordinal);

    private Checkpoint Open(Action<GgufWriter> change, params (string Key, string? Json)[] changes)
    {
        using var original = new RandomCheckpoint(61, changes);
        var writer = GgufExport.Write(original.Source, "llama", GgufType.F32).File;
        change(writer);
        return Checkpoint.Open(_folder.Write($"{Guid.NewGuid():n}.gguf", writer.ToArray()));
    }
}
