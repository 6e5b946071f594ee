using System.Collections.Immutable;
using System.Text.Json.Serialization;
using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>The hyper-parameters of a decoder-only transformer or of an encoder, named as in Hugging Face's <c>config.json</c>.</summary>
public sealed record ModelShape
{
    /// <summary>The class name of the reference implementation, for example <c>LlamaForCausalLM</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>Number of token ids.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward block.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of transformer layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Number of query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Number of key/value heads (grouped-query attention when smaller than <see cref="Heads"/>).</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Most positions a session may have.</summary>
    public required int ContextLength { get; init; }

    /// <summary>The epsilon of every norm: RMSNorm, or in an encoder LayerNorm.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Rotary position embedding; an encoder, which learns its positions, has the default and does not use it.</summary>
    public required RopeSettings Rope { get; init; }

    /// <summary>Whether the head shares the embedding's weights in the checkpoint.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Whether q, k and v projections carry a bias (Qwen2).</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether the attention output projection carries a bias (Llama with <c>attention_bias</c>).</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether the feed-forward projections carry a bias (Llama with <c>mlp_bias</c>).</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Whether q and k are RMS-normalised per head before RoPE (Qwen3).</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Sliding attention window in positions (Mistral), or null for full attention.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>Token id that begins a text, if the model has one.</summary>
    public int? BeginToken { get; init; }

    /// <summary>Token ids that end a generation.</summary>
    public ImmutableArray<int> EndTokens { get; init; } = [];

    /// <summary>What makes it an encoder, or null for a decoder.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EncoderSettings? Encoder { get; init; }

    /// <summary>Number of pipeline units: the embedding, every layer, the head (see <see cref="LayerRange"/>).</summary>
    public int Units => Layers + 2;

    /// <summary>How many values an encoder gives for a sequence; 0 where it gives none of that kind.</summary>
    public int OutputWidth(SequenceOutput output) => (Encoder, output) switch
    {
        ({ }, SequenceOutput.Mean) => HiddenSize,
        ({ } encoder, SequenceOutput.Classes) => encoder.Classes,
        _ => 0,
    };
}
