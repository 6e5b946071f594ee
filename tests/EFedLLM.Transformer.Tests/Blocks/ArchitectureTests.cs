using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Blocks;

/// <summary>Every architecture and setting against a plain float64 forward pass, on small random checkpoints.</summary>
public sealed class ArchitectureTests
{
    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"tie_word_embeddings":true}""")]
    [InlineData("""{"num_key_value_heads":1}""")]
    [InlineData("""{"num_key_value_heads":4}""")]
    [InlineData("""{"head_dim":6}""")]
    [InlineData("""{"head_dim":34,"num_key_value_heads":4}""")]
    [InlineData("""{"hidden_size":72,"intermediate_size":100,"num_attention_heads":6,"num_key_value_heads":3,"vocab_size":37}""")]
    [InlineData("""{"attention_bias":true,"mlp_bias":true}""")]
    [InlineData("""{"rope_theta":500.0}""")]
    [InlineData("""{"rope_scaling":{"rope_type":"linear","factor":4.0}}""")]
    [InlineData("""{"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":24},"head_dim":16,"rope_theta":100.0}""")]
    [InlineData("""{"architectures":["MistralForCausalLM"],"model_type":"mistral","sliding_window":5}""")]
    [InlineData("""{"architectures":["MistralForCausalLM"],"model_type":"mistral","sliding_window":1}""")]
    [InlineData("""{"architectures":["MistralForCausalLM"],"model_type":"mistral","sliding_window":70,"max_position_embeddings":256}""")]
    [InlineData("""{"architectures":["MistralForCausalLM"],"model_type":"mistral","sliding_window":null}""")]
    [InlineData("""{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2"}""")]
    [InlineData("""{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","tie_word_embeddings":true,"rope_theta":1000000.0}""")]
    [InlineData("""{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","head_dim":10}""")]
    [InlineData("""{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","head_dim":16,"tie_word_embeddings":true,"attention_bias":true}""")]
    public void Logits_agree_with_a_plain_forward_pass(string changes)
    {
        using var checkpoint = new RandomCheckpoint(seed: 11, Changes(changes));
        using var team = new ComputeTeam(1);
        using var pipeline = new ShardPipeline(checkpoint.Source, team);
        // Where the context allows it, further than two pages of the cache.
        var tokens = checkpoint.Tokens(seed: 12, checkpoint.Shape.ContextLength > 64 ? 140 : 24);

        var expected = new PlainTransformer(checkpoint.Source).Logits(tokens).SelectMany(row => row).ToArray();
        var actual = pipeline.Feed(tokens, chunk: 9);

        // A key or a value beside the middle of two halves may go to the other one: so far apart may logits be, and no further.
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) < 5e-4 * scale, $"logit {i}: {actual[i]} instead of {expected[i]}");
        }
    }

    private static (string Key, string? Json)[] Changes(string json) =>
        [.. System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject().Select(property => (property.Key, (string?)(property.Value?.ToJsonString() ?? "null")))];
}
