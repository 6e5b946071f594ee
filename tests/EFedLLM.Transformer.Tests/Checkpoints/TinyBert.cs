using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tests.Blocks;

namespace EFedLLM.Transformer.Tests.Checkpoints;

/// <summary>Configurations and random weights of a small BERT.</summary>
internal static class TinyBert
{
    public const string Classifier = """
        {"architectures":["BertForSequenceClassification"],"model_type":"bert","vocab_size":19,"hidden_size":24,"intermediate_size":40,
         "num_hidden_layers":3,"num_attention_heads":3,"max_position_embeddings":150,"layer_norm_eps":1e-6,"hidden_act":"gelu","type_vocab_size":2,
         "id2label":{"0":"a","1":"b","2":"c"}}
        """;

    private static readonly (string Key, string? Json)[] Changes =
    [
        ("model_type", "\"bert\""), ("vocab_size", "19"), ("hidden_size", "24"), ("intermediate_size", "40"), ("num_hidden_layers", "3"), ("num_attention_heads", "3"),
        ("num_key_value_heads", null), ("max_position_embeddings", "150"), ("layer_norm_eps", "1e-6"), ("hidden_act", "\"gelu\""), ("num_labels", "3"),
    ];

    /// <summary>A checkpoint with three classes, or of the bare model.</summary>
    public static RandomCheckpoint Random(int seed, bool classifies = true) =>
        new(seed, [.. Changes, ("architectures", classifies ? "[\"BertForSequenceClassification\"]" : "[\"BertModel\"]")]);

    public static ModelShape Shape(ScratchFolder folder, string config)
    {
        folder.Write("config.json", config);
        return ConfigReader.Read(folder.Path, ConfigReader.ReadBytes(folder.Path));
    }
}
