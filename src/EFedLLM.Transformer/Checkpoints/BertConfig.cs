using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Reads the <c>config.json</c> of a BERT encoder, with the defaults of transformers' BertConfig.</summary>
internal static class BertConfig
{
    /// <summary>The <c>model_type</c>.</summary>
    public const string ModelType = "bert";

    /// <summary>Most positions: their table is read as a whole.</summary>
    public const int MaximumContext = 1 << 16;

    /// <summary>Most rows of the token-type table.</summary>
    public const int MaximumTokenTypes = 1024;

    /// <summary>Most classes of a head.</summary>
    public const int MaximumClasses = 1 << 15;

    private const string Classifying = "BertForSequenceClassification";

    /// <summary>Reads the shape of a model.</summary>
    /// <param name="values">The file.</param>
    /// <param name="architecture">The class it names.</param>
    /// <param name="vocabulary">Number of token ids.</param>
    /// <param name="hidden">Width of the residual stream.</param>
    /// <param name="intermediate">Width of the feed-forward block.</param>
    /// <param name="layers">Number of layers.</param>
    /// <param name="heads">Number of heads.</param>
    /// <exception cref="InvalidDataException">A value is malformed; the message names it.</exception>
    /// <exception cref="NotSupportedException">The model needs something that is not supported; the message names it.</exception>
    public static ModelShape Read(ConfigReaderValues values, string architecture, int vocabulary, int hidden, int intermediate, int layers, int heads)
    {
        RefuseUnsupported(values);
        var size = hidden / heads;
        if (hidden % heads != 0 || size % 2 != 0)
        {
            throw values.Bad("hidden_size", $"is {hidden}, which is not num_attention_heads, {heads}, times an even width");
        }

        return new ModelShape
        {
            Architecture = architecture,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = intermediate,
            Layers = layers,
            Heads = heads,
            KeyValueHeads = heads,
            HeadSize = size,
            ContextLength = values.Integer("max_position_embeddings", 1, MaximumContext, 512),
            NormEpsilon = (float)values.Real("layer_norm_eps", 0, 0.999, 1e-12),
            Rope = new RopeSettings(10000),
            Encoder = new EncoderSettings(values.Integer("type_vocab_size", 1, MaximumTokenTypes, 2), architecture == Classifying ? Classes(values) : 0),
        };
    }

    private static void RefuseUnsupported(ConfigReaderValues values)
    {
        if (values.Text("hidden_act") is { } activation && activation != "gelu")
        {
            throw values.Unsupported("hidden_act", $"is \"{activation}\"; of a BERT only gelu is supported");
        }

        if (values.Text("position_embedding_type") is { } kind && kind != "absolute")
        {
            throw values.Unsupported("position_embedding_type", $"is \"{kind}\"; only absolute is supported");
        }

        if (values.Flag("is_decoder", false))
        {
            throw values.Unsupported("is_decoder", "is true; a BERT is supported as an encoder only");
        }

        if (values.Get("quantization_config") is not null)
        {
            throw values.Unsupported("quantization_config", "is there: the weights are already quantised. Use the original checkpoint with F32, F16 or BF16 weights and compress that");
        }
    }

    private static int Classes(ConfigReaderValues values) => values.Get("id2label") switch
    {
        null => values.Integer("num_labels", 1, MaximumClasses, 2),
        { ValueKind: JsonValueKind.Object } labels when labels.EnumerateObject().Count() is >= 1 and <= MaximumClasses and var count => count,
        _ => throw values.Bad("id2label", $"is not an object with 1 to {MaximumClasses} labels"),
    };
}
