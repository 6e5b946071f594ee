using EFedLLM.Transformer.Caching;

namespace EFedLLM.Transformer.Blocks;

/// <summary>
/// One forward of some consecutive positions of one session through one shard. Reusable: set its fields, pass it to
/// <see cref="TransformerShard.Forward"/>, read the result.
/// </summary>
public sealed class ShardStep
{
    /// <summary>The session's cache on this shard; its length is the step's first position and grows by <see cref="Count"/>.</summary>
    public required KvCache Cache { get; set; }

    /// <summary>Number of positions, at least 1.</summary>
    public int Count { get; set; }

    /// <summary>The token ids, [Count], where the shard begins with the embedding; else unused.</summary>
    public ReadOnlyMemory<int> Tokens { get; set; }

    /// <summary>
    /// The residual stream, [Count, hidden]: input where the shard does not begin with the embedding, and overwritten with
    /// the output in every case. May be empty where the shard is the whole model.
    /// </summary>
    public Memory<float> Hidden { get; set; }

    /// <summary>For how many of the last positions the head computes logits (0 to Count); unused without the head.</summary>
    public int LogitRows { get; set; }

    /// <summary>What the head of an encoder gives for the sequence that this step is; unused in a decoder.</summary>
    public SequenceOutput Output { get; set; }

    /// <summary>Receives the logits, [LogitRows, vocabulary], or of an encoder the <see cref="Output"/>; may be longer.</summary>
    public Memory<float> Logits { get; set; }
}
