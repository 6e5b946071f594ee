using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Transformer.Generation;

/// <summary>
/// Measures perplexity: the tokens are cut into chunks; each chunk is fed by itself from position 0 as a start token and
/// the chunk without its last token, and every token of the chunk is scored by the logits before it. One measurement at a time.
/// </summary>
public sealed class PerplexityMeter : IDisposable
{
    private readonly TransformerShard _shard;
    private readonly ComputeTeam _team;
    private readonly float[] _scratch;
    private float[] _logits = [];

    /// <summary>Loads a whole model.</summary>
    /// <param name="source">The model, which must outlive the meter.</param>
    /// <param name="team">The threads that compute; they stay the caller's.</param>
    /// <exception cref="NotSupportedException">The model is an encoder.</exception>
    /// <exception cref="InvalidDataException">The weights are damaged.</exception>
    public PerplexityMeter(IModelSource source, ComputeTeam team)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(team);
        DecoderRule.Check(source);
        _team = team;
        _shard = TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers));
        _scratch = new float[source.Shape.VocabularySize];
    }

    /// <summary>Measures the perplexity of some tokens.</summary>
    /// <param name="tokens">Token ids, at least one. The last chunk may be shorter than the others.</param>
    /// <param name="startToken">Fed before each chunk: the token that begins or parts texts, as the model was trained.</param>
    /// <param name="chunk">Tokens of a chunk, 1 to the context length.</param>
    /// <param name="progress">Told the number of tokens scored so far.</param>
    /// <param name="cancellation">Ends the measurement between two batches.</param>
    /// <exception cref="ArgumentException">There are no tokens, the chunk does not fit the context, or an id is outside of the vocabulary.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public PerplexityResult Measure(ReadOnlyMemory<int> tokens, int startToken, int chunk, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        using var feeder = new ChunkFeeder(_shard, tokens, startToken, chunk);
        var vocabulary = _shard.Shape.VocabularySize;
        if (_logits.Length < feeder.MostRows * vocabulary)
        {
            _logits = new float[feeder.MostRows * vocabulary];
        }

        var costs = new ChunkCosts(tokens.Length, chunk);
        var scored = 0;
        while (scored < tokens.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            var places = feeder.Next(_logits, _team);
            for (var row = 0; row < places.Length; row++)
            {
                var logits = _logits.AsSpan(row * vocabulary, vocabulary);
                costs.Add(places[row], LogSoftmax.LogSumExp(logits, _scratch) - logits[tokens.Span[places[row]]]);
            }

            scored += places.Length;
            progress?.Report(scored);
        }

        return costs.Result();
    }

    /// <summary>Releases the weights.</summary>
    public void Dispose() => _shard.Dispose();
}
