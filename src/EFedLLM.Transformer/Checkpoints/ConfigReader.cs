using System.Collections.Frozen;
using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// Reads <c>config.json</c> and <c>generation_config.json</c> into a <see cref="ModelShape"/>. What is absent has the
/// default of the architecture's class in Hugging Face's transformers; what the forward pass does not do is refused.
/// </summary>
internal static class ConfigReader
{
    public const string FileName = "config.json";
    public const int MaximumVocabulary = 1 << 22;
    public const int MaximumWidth = 1 << 18;
    public const int MaximumLayers = 1024;
    public const int MaximumHeads = 4096;
    public const int MaximumContext = 1 << 24;
    private const string GenerationFileName = "generation_config.json";
    private const long MaximumBytes = 1 << 20;

    private static readonly FrozenDictionary<string, Family> Families = new Dictionary<string, Family>
    {
        ["LlamaForCausalLM"] = new("llama", Context: 2048),
        ["MistralForCausalLM"] = new("mistral", Context: 131072, KeyValueHeads: 8, SlidingWindow: 4096),
        ["Qwen2ForCausalLM"] = new("qwen2", Context: 32768, KeyValueHeads: 32),
        ["BertModel"] = new(BertConfig.ModelType, Context: 512),
        ["BertForSequenceClassification"] = new(BertConfig.ModelType, Context: 512),
        ["Qwen3ForCausalLM"] = new("qwen3", Context: 32768, KeyValueHeads: 32, HeadSize: 128),
    }.ToFrozenDictionary();

    /// <summary>The bytes of a folder's <c>config.json</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is too long.</exception>
    public static byte[] ReadBytes(string folder) => CheckpointJson.ReadBytes(Path.Combine(folder, FileName), MaximumBytes);

    /// <exception cref="InvalidDataException">A value is malformed, out of bounds or at odds with another; the message names it.</exception>
    /// <exception cref="NotSupportedException">The model needs something that is not supported; the message names it.</exception>
    public static ModelShape Read(string folder, ReadOnlyMemory<byte> config)
    {
        var path = Path.Combine(folder, FileName);
        using var document = CheckpointJson.ParseObject(config, path);
        var values = new ConfigReaderValues(document.RootElement, path);
        var shape = ReadShape(values);
        var generationPath = Path.Combine(folder, GenerationFileName);
        if (!File.Exists(generationPath))
        {
            return shape;
        }

        using var generation = CheckpointJson.ReadObject(generationPath, MaximumBytes);
        return Merge(shape, new ConfigReaderValues(generation.RootElement, generationPath));
    }

    private static ModelShape ReadShape(ConfigReaderValues values)
    {
        var (architecture, family) = Architecture(values);
        if (family.ModelType == BertConfig.ModelType)
        {
            return ReadEncoder(values, architecture);
        }

        RefuseUnsupported(values);
        var qwen = family.ModelType is "qwen2" or "qwen3";
        var vocabulary = values.Integer("vocab_size", 1, MaximumVocabulary);
        var hidden = values.Integer("hidden_size", 1, MaximumWidth);
        var heads = values.Integer("num_attention_heads", 1, MaximumHeads);
        var keyValueHeads = values.Integer("num_key_value_heads", 1, MaximumHeads, IsNull(values, "num_key_value_heads") ? heads : family.KeyValueHeads ?? heads);
        if (heads % keyValueHeads != 0)
        {
            throw values.Bad("num_key_value_heads", $"is {keyValueHeads}, which does not divide num_attention_heads, {heads}");
        }

        var context = values.Integer("max_position_embeddings", 1, MaximumContext, family.Context);
        var attentionBias = family.ModelType is "llama" or "qwen3" && values.Flag("attention_bias", false);
        return new ModelShape
        {
            Architecture = architecture,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = values.Integer("intermediate_size", 1, MaximumWidth),
            Layers = values.Integer("num_hidden_layers", 1, MaximumLayers),
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadSize = HeadSize(values, family, hidden, heads),
            ContextLength = context,
            NormEpsilon = (float)values.Real("rms_norm_eps", 0, 0.999, 1e-6),
            Rope = Rope(values),
            TiedEmbeddings = values.Flag("tie_word_embeddings", false),
            QueryKeyValueBias = family.ModelType == "qwen2" || attentionBias,
            OutputBias = attentionBias,
            FeedForwardBias = family.ModelType == "llama" && values.Flag("mlp_bias", false),
            QueryKeyNorm = family.ModelType == "qwen3",
            SlidingWindow = qwen ? null : SlidingWindow(values, family),
            BeginToken = values.Tokens("bos_token_id", vocabulary).Select(id => (int?)id).FirstOrDefault(),
            EndTokens = [.. values.Tokens("eos_token_id", vocabulary).Distinct()],
        };
    }

    private static ModelShape ReadEncoder(ConfigReaderValues values, string architecture) => BertConfig.Read(
        values,
        architecture,
        values.Integer("vocab_size", 1, MaximumVocabulary),
        values.Integer("hidden_size", 1, MaximumWidth),
        values.Integer("intermediate_size", 1, MaximumWidth),
        values.Integer("num_hidden_layers", 1, MaximumLayers),
        values.Integer("num_attention_heads", 1, MaximumHeads));

    private static ModelShape Merge(ModelShape shape, ConfigReaderValues generation) => shape with
    {
        BeginToken = shape.BeginToken ?? generation.Tokens("bos_token_id", shape.VocabularySize).Select(id => (int?)id).FirstOrDefault(),
        EndTokens = [.. shape.EndTokens.Concat(generation.Tokens("eos_token_id", shape.VocabularySize)).Distinct()],
    };

    private static (string Name, Family Family) Architecture(ConfigReaderValues values)
    {
        var supported = string.Join(", ", Families.Keys.Order(StringComparer.Ordinal));
        if (values.Get("architectures") is { } list)
        {
            if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
            {
                throw values.Bad("architectures", "is not a list of class names");
            }

            var name = CheckpointJson.Text(list[0], "architectures[0]", values.Path);
            return Families.TryGetValue(name, out var family)
                ? (name, family)
                : throw values.Unsupported("architectures", $"names \"{name}\", which is not supported; supported are {supported}");
        }

        var type = values.Text("model_type") ?? throw values.Bad("architectures", $"is missing; supported are {supported}");
        return Families.Where(family => family.Value.ModelType == type).OrderBy(family => family.Key.Length).Select(family => ((string, Family)?)(family.Key, family.Value)).FirstOrDefault()
            ?? throw values.Unsupported("model_type", $"is \"{type}\", which is not supported; supported are {supported}");
    }

    private static void RefuseUnsupported(ConfigReaderValues values)
    {
        if (values.Text("hidden_act") is { } activation && activation is not ("silu" or "swish"))
        {
            throw values.Unsupported("hidden_act", $"is \"{activation}\"; only silu is supported");
        }

        if (values.Get("quantization_config") is not null)
        {
            throw values.Unsupported("quantization_config", "is there: the weights are already quantised. Use the original checkpoint with F32, F16 or BF16 weights and compress that");
        }

        if (values.Flag("use_sliding_window", false))
        {
            throw values.Unsupported("use_sliding_window", "is true; Qwen's window over part of the layers is not supported");
        }

        if (values.Flag("rope_interleaved", false))
        {
            throw values.Unsupported("rope_interleaved", "is true; only the half-split order of Hugging Face is supported. Convert the checkpoint");
        }

        if (values.Real("partial_rotary_factor", 0, 1, 1) != 1)
        {
            throw values.Unsupported("partial_rotary_factor", "is not 1; rotary embedding over part of a head is not supported");
        }

        if (values.Flag("is_encoder_decoder", false))
        {
            throw values.Unsupported("is_encoder_decoder", "is true; only decoders are supported");
        }
    }

    private static int HeadSize(ConfigReaderValues values, Family family, int hidden, int heads)
    {
        var given = values.Get("head_dim") is not null;
        if (!given && (family.HeadSize is null || IsNull(values, "head_dim")) && hidden % heads != 0)
        {
            throw values.Bad("hidden_size", $"is {hidden}, not a multiple of num_attention_heads, {heads}, and head_dim is missing");
        }

        var size = values.Integer("head_dim", 2, MaximumWidth, IsNull(values, "head_dim") ? hidden / heads : family.HeadSize ?? hidden / heads);
        return size % 2 == 0 && size >= 2 && size <= MaximumWidth / heads
            ? size
            : throw values.Bad("head_dim", $"is {size}: a head must have an even width, and {heads} of them at most {MaximumWidth} together");
    }

    private static int? SlidingWindow(ConfigReaderValues values, Family family)
    {
        if (family.SlidingWindow is not { } usual)
        {
            return null;
        }

        return IsNull(values, "sliding_window") ? null : values.Integer("sliding_window", 1, MaximumContext, usual);
    }

    private static RopeSettings Rope(ConfigReaderValues values)
    {
        // transformers 5 gathers everything about rotary embedding in rope_parameters; before, theta stood beside rope_scaling.
        var parameters = values.Section("rope_parameters");
        var section = parameters ?? values.Section("rope_scaling");
        var theta = (parameters?.Get("rope_theta") is null ? values : parameters).Real("rope_theta", 1, 1e15, 10000);
        if (section is null)
        {
            return new RopeSettings(theta);
        }

        var key = parameters is null ? "rope_scaling" : "rope_parameters";
        var type = section.Text("rope_type") ?? section.Text("type");
        if (type is null && section.Root.EnumerateObject().Any(property => property.Value.ValueKind == JsonValueKind.Object))
        {
            throw values.Unsupported(key, "differs between kinds of layers, which is not supported");
        }

        if (section.Real("partial_rotary_factor", 0, 1, 1) != 1)
        {
            throw values.Unsupported(key + ".partial_rotary_factor", "is not 1; rotary embedding over part of a head is not supported");
        }

        return type switch
        {
            "default" => new RopeSettings(theta),
            null when parameters is not null => new RopeSettings(theta),
            null => throw values.Bad(key, "has no rope_type"),
            "linear" => new RopeSettings(theta, new RopeScaling(RopeScalingKind.Linear, Factor(section))),
            "llama3" => new RopeSettings(theta, Llama3(section)),
            _ => throw values.Unsupported(key, $"is of type \"{type}\"; supported are linear and llama3. For contexts up to the model's original length the entry can be removed from {FileName}"),
        };
    }

    private static RopeScaling Llama3(ConfigReaderValues section)
    {
        var low = section.Real("low_freq_factor", 1e-6, 1e6);
        var high = section.Real("high_freq_factor", 1e-6, 1e6);
        return high > low
            ? new RopeScaling(RopeScalingKind.Llama3, Factor(section), low, high, section.Integer("original_max_position_embeddings", 1, MaximumContext))
            : throw section.Bad("high_freq_factor", $"is {high}, which is not above low_freq_factor, {low}");
    }

    private static double Factor(ConfigReaderValues section) => section.Real("factor", 1e-6, 1e6);

    /// <summary>Whether a key is there with the value null, which to the reference means something else than its absence.</summary>
    private static bool IsNull(ConfigReaderValues values, string key) =>
        values.Root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>The defaults of an architecture's configuration class.</summary>
    private sealed record Family(string ModelType, int Context, int? KeyValueHeads = null, int? HeadSize = null, int? SlidingWindow = null);
}
