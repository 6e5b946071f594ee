using System.Text.Json.Nodes;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Checkpoints;

public sealed class BertConfigTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_classifier_is_read_with_its_classes()
    {
        var shape = TinyBert.Shape(_folder, TinyBert.Classifier);

        Assert.Equal(new EncoderSettings(TokenTypes: 2, Classes: 3), shape.Encoder);
        Assert.Equal((19, 24, 40, 3, 3, 3, 8, 150), (shape.VocabularySize, shape.HiddenSize, shape.IntermediateSize, shape.Layers, shape.Heads, shape.KeyValueHeads, shape.HeadSize, shape.ContextLength));
        Assert.Equal(1e-6f, shape.NormEpsilon);
        Assert.Equal((24, 3, 0), (shape.OutputWidth(SequenceOutput.Mean), shape.OutputWidth(SequenceOutput.Classes), shape.OutputWidth(SequenceOutput.None)));
    }

    [Theory]
    [InlineData("""["BertModel"]""")]
    [InlineData(null)]
    public void The_bare_model_has_no_classes_and_the_defaults_of_its_class(string? architectures)
    {
        var shape = TinyBert.Shape(_folder, With(("architectures", architectures), ("max_position_embeddings", null), ("layer_norm_eps", null), ("type_vocab_size", null), ("id2label", null)));

        Assert.Equal(("BertModel", 512, 1e-12f), (shape.Architecture, shape.ContextLength, shape.NormEpsilon));
        Assert.Equal(new EncoderSettings(2, 0), shape.Encoder);
        Assert.Equal(0, shape.OutputWidth(SequenceOutput.Classes));
    }

    [Theory]
    [InlineData("hidden_act", "\"relu\"", "relu")]
    [InlineData("hidden_act", "\"gelu_new\"", "gelu_new")]
    [InlineData("position_embedding_type", "\"relative_key\"", "absolute")]
    [InlineData("is_decoder", "true", "encoder")]
    [InlineData("architectures", "[\"BertForMaskedLM\"]", "BertForSequenceClassification")]
    public void What_the_forward_pass_does_not_do_is_refused(string key, string json, string mentioned)
    {
        var error = Assert.Throws<NotSupportedException>(() => TinyBert.Shape(_folder, With((key, json))));

        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains(mentioned, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("num_attention_heads", "5", "hidden_size")]
    [InlineData("num_attention_heads", "8", "hidden_size")]
    [InlineData("max_position_embeddings", "100000", "max_position_embeddings")]
    [InlineData("type_vocab_size", "0", "type_vocab_size")]
    [InlineData("layer_norm_eps", "-1", "layer_norm_eps")]
    [InlineData("id2label", "{}", "id2label")]
    [InlineData("id2label", "[]", "id2label")]
    public void Nonsense_is_refused_by_its_name(string key, string json, string mentioned) =>
        Assert.Contains(mentioned, Assert.Throws<InvalidDataException>(() => TinyBert.Shape(_folder, With((key, json)))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_checkpoint_may_spell_its_tensors_with_or_without_the_models_name(bool isBare)
    {
        var tensors = TinyCheckpoint.Tensors(_folder, With(("architectures", "[\"BertModel\"]")));
        TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors.ToDictionary(tensor => isBare ? tensor.Key["bert.".Length..] : tensor.Key, tensor => tensor.Value), (_, index) => index);

        using var checkpoint = Checkpoint.Open(_folder.Path);
        var row = new float[24];
        checkpoint.LoadEncoderEmbedding().Words.Lookup(1, row);

        Assert.Equal(24, row[0]);
        Assert.Equal(64, checkpoint.Id.Value.Length);
        Assert.Equal(tensors.Values.Sum(dimensions => dimensions.Aggregate(1L, (product, dimension) => product * dimension)), checkpoint.Parameters);
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        var tensors = TinyCheckpoint.Tensors(_folder, TinyBert.Classifier);
        tensors.Remove("bert.pooler.dense.bias");
        TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors);

        Assert.Contains("bert.pooler.dense.bias", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    private static string With(params (string Key, string? Json)[] changes)
    {
        var config = JsonNode.Parse(TinyBert.Classifier)!.AsObject();
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
}
