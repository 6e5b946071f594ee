using System.Globalization;
using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// Says what the metadata of a GGUF file say of the model as a <c>config.json</c>, so that one reader judges both. The keys
/// are those of ggml's docs/gguf.md and of llama.cpp's conversion; what would change the result and is not done is refused.
/// </summary>
internal static class GgufConfig
{
    public const string Architecture = "general.architecture";
    private const string Llama = "llama";

    /// <summary>Switches that no supported architecture turns on: keys behind the architecture's name, and the values that are harmless, as 0 is to llama.cpp.</summary>
    private static readonly (string Key, double Harmless)[] Numbers =
    [
        ("expert_count", 0), ("attention.max_alibi_bias", 0), ("attention.clamp_kqv", 0), ("attention.scale", 0), ("attention.temperature_scale", 0),
        ("attn_logit_softcapping", 0), ("final_logit_softcapping", 0), ("logit_scale", 1), ("residual_scale", 1), ("embedding_scale", 1),
    ];

    /// <summary>Whether the rows of query and key heads are in the order of interleaved rotary embedding.</summary>
    public static bool Interleaves(GgufFile file) => file.Metadata.Text(Architecture) == Llama;

    /// <summary>The bytes of the <c>config.json</c>, the same for the same file.</summary>
    /// <exception cref="InvalidDataException">A value is missing or out of bounds; the message names its key.</exception>
    /// <exception cref="NotSupportedException">The model needs something that is not supported; the message names it.</exception>
    public static byte[] Make(GgufFile file)
    {
        var metadata = file.Metadata;
        var architecture = metadata.Text(Architecture) ?? throw metadata.Bad(Architecture, "is missing");
        if (architecture is not (Llama or "qwen2" or "qwen3"))
        {
            throw metadata.Unsupported(Architecture, $"is \"{architecture}\", which is not supported; supported are llama, qwen2 and qwen3");
        }

        RefuseParts(metadata);
        RefuseSwitches(metadata, architecture);
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            WriteShape(json, file, architecture);
            WriteTokens(json, file);
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static void WriteShape(Utf8JsonWriter json, GgufFile file, string architecture)
    {
        var metadata = file.Metadata;
        var hidden = metadata.Integer(Key("embedding_length"), 1, ConfigReader.MaximumWidth);
        var heads = metadata.Integer(Key("attention.head_count"), 1, ConfigReader.MaximumHeads);
        var context = metadata.Integer(Key("context_length"), 1, ConfigReader.MaximumContext);
        var headSize = HeadSize(metadata, architecture, hidden, heads);
        var theta = metadata.Real(Key("rope.freq_base"), 1, 1e15, 10000);
        WriteFamily(json, file, architecture, context);
        json.WriteNumber("vocab_size", Vocabulary(file, hidden));
        json.WriteNumber("hidden_size", hidden);
        json.WriteNumber("intermediate_size", metadata.Integer(Key("feed_forward_length"), 1, ConfigReader.MaximumWidth));
        json.WriteNumber("num_hidden_layers", metadata.Integer(Key("block_count"), 1, ConfigReader.MaximumLayers));
        json.WriteNumber("num_attention_heads", heads);
        json.WriteNumber("num_key_value_heads", metadata.Integer(Key("attention.head_count_kv"), 1, ConfigReader.MaximumHeads, heads));
        json.WriteNumber("head_dim", headSize);
        json.WriteNumber("max_position_embeddings", context);
        json.WriteNumber("rms_norm_eps", metadata.Real(Key("attention.layer_norm_rms_epsilon"), 0, 0.999));
        json.WriteNumber("rope_theta", theta);
        GgufRope.Write(json, file, architecture, theta, headSize);
        json.WriteBoolean("tie_word_embeddings", !file.Tensors.ContainsKey(GgufNames.Head));

        string Key(string name) => $"{architecture}.{name}";
    }

    /// <summary>
    /// The class of Hugging Face's that computes what the tensors ask for: biases on q, k and v alone are Qwen2's, whatever
    /// the file calls itself, and a window over all layers is Mistral's.
    /// </summary>
    private static void WriteFamily(Utf8JsonWriter json, GgufFile file, string architecture, int context)
    {
        var windowKey = $"{architecture}.attention.sliding_window";
        var window = file.Metadata.OptionalInteger(windowKey, 0, int.MaxValue) is { } positions && positions > 0 && positions < context ? positions : (int?)null;
        var (query, output, feedForward) = (Has("attn_q.bias"), Has("attn_output.bias"), Has("ffn_down.bias"));
        if (window is not null && (architecture != Llama || query || output || feedForward))
        {
            throw file.Metadata.Unsupported(windowKey, $"is {window}: a window is supported for models without biases of the architecture llama alone");
        }

        var family = architecture switch
        {
            Llama when window is not null => "Mistral",
            Llama when query && !output && !feedForward => "Qwen2",
            Llama => "Llama",
            "qwen2" => "Qwen2",
            _ => "Qwen3",
        };
        json.WriteStartArray("architectures");
        json.WriteStringValue(family + "ForCausalLM");
        json.WriteEndArray();
        json.WriteString("model_type", family.ToLowerInvariant());
        json.WriteBoolean("attention_bias", output);
        json.WriteBoolean("mlp_bias", feedForward);
        if (window is { } width)
        {
            json.WriteNumber("sliding_window", width);
        }

        bool Has(string name) => file.Tensors.ContainsKey(GgufNames.Block(0, name));
    }

    private static int HeadSize(GgufMetadata metadata, string architecture, int hidden, int heads)
    {
        var keys = $"{architecture}.attention.key_length";
        if (!metadata.Has(keys) && hidden % heads != 0)
        {
            throw metadata.Bad(keys, $"is missing, and {architecture}.embedding_length, {hidden}, is no multiple of the {heads} heads");
        }

        var size = metadata.Integer(keys, 2, ConfigReader.MaximumWidth, hidden / heads);
        foreach (var key in (ReadOnlySpan<string>)[$"{architecture}.attention.value_length", $"{architecture}.rope.dimension_count"])
        {
            if (metadata.Integer(key, 0, ConfigReader.MaximumWidth, size) is var other && other != size)
            {
                throw metadata.Unsupported(key, $"is {other} where a key has {size} values; heads of one width, all of it turned by rotary embedding, are supported");
            }
        }

        return size;
    }

    /// <summary>The rows of the embedding: what files claim beside it was not always kept right.</summary>
    private static int Vocabulary(GgufFile file, int hidden) =>
        file.Tensors.TryGetValue(GgufNames.Embedding, out var table) && table.Shape is [>= 1 and <= ConfigReader.MaximumVocabulary, var width] && width == hidden
            ? (int)table.Shape[0]
            : throw new InvalidDataException($"\"{file.Path}\" has no tensor \"{GgufNames.Embedding}\" with rows of {hidden} values, at most {ConfigReader.MaximumVocabulary} of them. Fetch or convert the model again.");

    private static void WriteTokens(Utf8JsonWriter json, GgufFile file)
    {
        if (GgufVocabulary.Read(file.Metadata) is not { } vocabulary)
        {
            return;
        }

        if (file.Tensors[GgufNames.Embedding].Shape[0] < vocabulary.Tokens.Length)
        {
            throw file.Metadata.Bad(GgufVocabulary.TokensKey, $"has {vocabulary.Tokens.Length} tokens, more than {GgufNames.Embedding} has rows");
        }

        Write("bos_token_id", vocabulary.Begin);
        json.WriteStartArray("eos_token_id");
        foreach (var id in vocabulary.Ends)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
        Write("pad_token_id", vocabulary.Padding);

        void Write(string name, int? id)
        {
            if (id is { } number)
            {
                json.WriteNumber(name, number);
            }
        }
    }

    private static void RefuseParts(GgufMetadata metadata)
    {
        const string Key = "split.count";
        if (metadata.OptionalInteger(Key, 0, int.MaxValue) is { } parts and > 1)
        {
            throw metadata.Unsupported(Key, $"is {parts}: the model is cut into so many files. Join them with llama-gguf-split --merge");
        }
    }

    private static void RefuseSwitches(GgufMetadata metadata, string architecture)
    {
        foreach (var (name, harmless) in Numbers)
        {
            var key = $"{architecture}.{name}";
            if (metadata.Real(key, double.NegativeInfinity, double.PositiveInfinity, harmless) is var number && number != harmless && number != 0)
            {
                throw metadata.Unsupported(key, string.Create(CultureInfo.InvariantCulture, $"is {number}, which is not supported"));
            }
        }

        foreach (var (name, harmless) in (ReadOnlySpan<(string, bool)>)[("use_parallel_residual", false), ("attention.causal", true)])
        {
            var key = $"{architecture}.{name}";
            if (metadata.Flag(key, harmless) != harmless)
            {
                throw metadata.Unsupported(key, $"is {(harmless ? "false" : "true")}, which is not supported");
            }
        }

        var layout = $"{architecture}.tensor_data_layout";
        if (metadata.Text(layout) is { } text && !(text == "reference" || (architecture == Llama && text == "Meta AI original pth")))
        {
            throw metadata.Unsupported(layout, $"is \"{text}\", which is not supported");
        }
    }
}
