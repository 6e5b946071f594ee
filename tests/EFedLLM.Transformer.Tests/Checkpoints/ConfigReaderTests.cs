using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Checkpoints;

public sealed class ConfigReaderTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_plain_Llama_is_read()
    {
        var shape = Read(TinyCheckpoint.Llama);

        Assert.Equal("LlamaForCausalLM", shape.Architecture);
        Assert.Equal((11, 8, 12, 2), (shape.VocabularySize, shape.HiddenSize, shape.IntermediateSize, shape.Layers));
        Assert.Equal((4, 2, 2, 64), (shape.Heads, shape.KeyValueHeads, shape.HeadSize, shape.ContextLength));
        Assert.Equal(1e-5f, shape.NormEpsilon);
        Assert.Equal(new RopeSettings(10000), shape.Rope);
        Assert.False(shape.TiedEmbeddings || shape.QueryKeyValueBias || shape.OutputBias || shape.FeedForwardBias || shape.QueryKeyNorm);
        Assert.Null(shape.SlidingWindow);
        Assert.Null(shape.BeginToken);
        Assert.Equal([2], shape.EndTokens.ToArray());
    }

    [Fact]
    public void Llama_biases_follow_their_flags()
    {
        var shape = Read(TinyCheckpoint.With(("attention_bias", "true"), ("mlp_bias", "true")));

        Assert.True(shape.QueryKeyValueBias && shape.OutputBias && shape.FeedForwardBias);
    }

    [Fact]
    public void Absent_values_have_the_defaults_of_the_Llama_class()
    {
        var shape = Read(TinyCheckpoint.With(
            ("num_key_value_heads", null), ("max_position_embeddings", null), ("rms_norm_eps", null), ("rope_theta", null), ("tie_word_embeddings", null)));

        Assert.Equal((4, 2048, 1e-6f, 10000.0, false), (shape.KeyValueHeads, shape.ContextLength, shape.NormEpsilon, shape.Rope.Theta, shape.TiedEmbeddings));
    }

    [Fact]
    public void Mistral_has_its_window_unless_it_is_null()
    {
        var mistral = ("architectures", "[\"MistralForCausalLM\"]");

        Assert.Equal(16, Read(TinyCheckpoint.With(mistral, ("sliding_window", "16"))).SlidingWindow);
        Assert.Equal(4096, Read(TinyCheckpoint.With(mistral)).SlidingWindow);
        Assert.Null(Read(TinyCheckpoint.With(mistral, ("sliding_window", "null"))).SlidingWindow);
        Assert.Equal(6, Read(TinyCheckpoint.With(mistral, ("head_dim", "6"))).HeadSize);
    }

    [Fact]
    public void Qwen2_has_biases_on_q_k_and_v_and_no_window_unless_it_is_used()
    {
        var shape = Read(TinyCheckpoint.With(("architectures", "[\"Qwen2ForCausalLM\"]"), ("sliding_window", "16"), ("use_sliding_window", "false"), ("tie_word_embeddings", "true")));

        Assert.True(shape is { QueryKeyValueBias: true, OutputBias: false, FeedForwardBias: false, QueryKeyNorm: false, TiedEmbeddings: true });
        Assert.Null(shape.SlidingWindow);
    }

    [Fact]
    public void Qwen3_has_norms_on_q_and_k_and_heads_of_128_unless_it_says_otherwise()
    {
        var qwen = ("architectures", "[\"Qwen3ForCausalLM\"]");

        Assert.True(Read(TinyCheckpoint.With(qwen)) is { QueryKeyNorm: true, QueryKeyValueBias: false, HeadSize: 128 });
        Assert.True(Read(TinyCheckpoint.With(qwen, ("attention_bias", "true"), ("head_dim", "4"))) is { QueryKeyValueBias: true, OutputBias: true, HeadSize: 4 });
    }

    [Theory]
    [InlineData("rope_scaling", """{"type":"linear","factor":2.5}""", 10000)]
    [InlineData("rope_scaling", """{"rope_type":"linear","factor":2.5}""", 10000)]
    [InlineData("rope_parameters", """{"rope_type":"linear","factor":2.5,"rope_theta":500000}""", 500000)]
    public void Linear_scaling_of_rotary_frequencies_is_read(string key, string json, double theta) =>
        Assert.Equal(new RopeSettings(theta, new RopeScaling(RopeScalingKind.Linear, 2.5)), Read(TinyCheckpoint.With((key, json))).Rope);

    [Theory]
    [InlineData("rope_scaling")]
    [InlineData("rope_parameters")]
    public void Llama_3_scaling_of_rotary_frequencies_is_read(string key) => Assert.Equal(
        new RopeSettings(10000, new RopeScaling(RopeScalingKind.Llama3, 32, 1, 4, 8192)),
        Read(TinyCheckpoint.With((key, """{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}"""))).Rope);

    [Theory]
    [InlineData("rope_scaling", "null")]
    [InlineData("rope_scaling", """{"rope_type":"default"}""")]
    [InlineData("rope_parameters", """{"rope_theta":10000.0}""")]
    [InlineData("rope_parameters", """{"rope_theta":10000.0,"rope_type":"default"}""")]
    public void Rotary_embedding_without_scaling_is_recognised(string key, string json) =>
        Assert.Equal(new RopeSettings(10000), Read(TinyCheckpoint.With((key, json))).Rope);

    [Fact]
    public void The_generation_settings_add_their_end_tokens()
    {
        _folder.Write("generation_config.json", """{"bos_token_id":1,"eos_token_id":[5,2,7]}""");

        var shape = Read(TinyCheckpoint.Llama);

        Assert.Equal([2, 5, 7], shape.EndTokens.ToArray());
        Assert.Equal(1, shape.BeginToken);
    }

    [Theory]
    [InlineData("architectures", """["GPT2LMHeadModel"]""", "GPT2LMHeadModel")]
    [InlineData("hidden_act", "\"gelu\"", "gelu")]
    [InlineData("rope_scaling", """{"rope_type":"yarn","factor":4}""", "yarn")]
    [InlineData("rope_scaling", """{"type":"dynamic","factor":4}""", "dynamic")]
    [InlineData("rope_scaling", """{"type":"longrope"}""", "longrope")]
    [InlineData("rope_parameters", """{"full_attention":{"rope_type":"default"}}""", "rope_parameters")]
    [InlineData("quantization_config", """{"quant_method":"gptq"}""", "quantization_config")]
    [InlineData("partial_rotary_factor", "0.5", "partial_rotary_factor")]
    [InlineData("rope_interleaved", "true", "rope_interleaved")]
    [InlineData("use_sliding_window", "true", "use_sliding_window")]
    [InlineData("is_encoder_decoder", "true", "is_encoder_decoder")]
    public void What_is_not_supported_is_refused_by_name(string key, string json, string name)
    {
        var error = Assert.Throws<NotSupportedException>(() => Read(TinyCheckpoint.With((key, json))));

        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("architectures", "[]", "architectures")]
    [InlineData("architectures", "[3]", "architectures")]
    [InlineData("vocab_size", null, "vocab_size")]
    [InlineData("vocab_size", "0", "vocab_size")]
    [InlineData("vocab_size", "4294967296", "vocab_size")]
    [InlineData("vocab_size", "\"11\"", "vocab_size")]
    [InlineData("hidden_size", "-8", "hidden_size")]
    [InlineData("hidden_size", "9", "hidden_size")]
    [InlineData("hidden_size", "1e300", "hidden_size")]
    [InlineData("num_hidden_layers", "100000", "num_hidden_layers")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads")]
    [InlineData("num_key_value_heads", "0", "num_key_value_heads")]
    [InlineData("head_dim", "3", "head_dim")]
    [InlineData("head_dim", "262144", "head_dim")]
    [InlineData("max_position_embeddings", "1e9", "max_position_embeddings")]
    [InlineData("rms_norm_eps", "-1", "rms_norm_eps")]
    [InlineData("rope_theta", "0", "rope_theta")]
    [InlineData("rope_theta", "1e999", "rope_theta")]
    [InlineData("tie_word_embeddings", "1", "tie_word_embeddings")]
    [InlineData("eos_token_id", "11", "eos_token_id")]
    [InlineData("eos_token_id", "[2,\"x\"]", "eos_token_id")]
    [InlineData("bos_token_id", "-1", "bos_token_id")]
    [InlineData("rope_scaling", "[]", "rope_scaling")]
    [InlineData("rope_scaling", "{}", "rope_scaling")]
    [InlineData("rope_scaling", """{"type":"linear"}""", "factor")]
    [InlineData("rope_scaling", """{"type":"linear","factor":0}""", "factor")]
    [InlineData("rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,"original_max_position_embeddings":8192}""", "high_freq_factor")]
    public void A_value_out_of_its_bounds_is_refused_by_name(string key, string? json, string name)
    {
        var error = Assert.Throws<InvalidDataException>(() => Read(TinyCheckpoint.With((key, json))));

        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"a\":1")]
    [InlineData("""{"vocab_size":1,"vocab_size":2}""")]
    public void A_file_that_is_no_JSON_object_is_refused(string text) =>
        Assert.Contains("config.json", Assert.Throws<InvalidDataException>(() => Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_missing_file_and_one_of_more_than_a_mebibyte_are_refused()
    {
        Assert.Throws<FileNotFoundException>(() => ConfigReader.ReadBytes(_folder.Path));
        _folder.Write("config.json", new byte[(1 << 20) + 1]);
        Assert.Throws<InvalidDataException>(() => ConfigReader.ReadBytes(_folder.Path));
    }

    [SharedFact]
    public void The_configuration_of_a_published_model_is_read()
    {
        var folder = SharedModels.Model("tokenizer-smollm2");
        var shape = ConfigReader.Read(folder, ConfigReader.ReadBytes(folder));

        Assert.True(shape is { Layers: 30, HiddenSize: 576, Heads: 9, KeyValueHeads: 3, HeadSize: 64, TiedEmbeddings: true, Rope.Theta: 100000, ContextLength: 8192 });
    }

    private ModelShape Read(string config)
    {
        _folder.Write("config.json", config);
        return ConfigReader.Read(_folder.Path, ConfigReader.ReadBytes(_folder.Path));
    }
}
