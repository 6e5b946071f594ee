using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
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
    // A batch has about so many rows, and its logits at most so many values: larger is no faster.
    private const int BatchRows = 1024;
    private const int BatchLogits = 1 << 23;

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
        var (context, vocabulary) = (_shard.Shape.ContextLength, _shard.Shape.VocabularySize);
        if (tokens.IsEmpty)
        {
            throw new ArgumentException("There are no tokens to score.", nameof(tokens));
        }

        if (chunk < 1 || chunk > context)
        {
            throw new ArgumentOutOfRangeException(nameof(chunk), chunk, $"A chunk must have 1 to {context} tokens, the model's context.");
        }

        // What is too long for one batch goes in pieces, which give the same logits.
        var rows = Math.Clamp(BatchLogits / vocabulary, 1, BatchRows);
        var piece = Math.Min(chunk, rows);
        var together = Math.Max(1, rows / piece);
        var chunks = new double[(tokens.Length + chunk - 1) / chunk];
        var scored = 0;
        for (var first = 0; first < chunks.Length; first += together)
        {
            var sessions = new List<Session>();
            for (var i = first; i < Math.Min(first + together, chunks.Length); i++)
            {
                sessions.Add(new Session(_shard, tokens.Slice(i * chunk, Math.Min(chunk, tokens.Length - i * chunk)), startToken, i));
            }

            while (sessions.Count > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                scored += Advance(sessions, piece, chunks);
                progress?.Report(scored);
            }
        }

        var total = chunks.Sum();
        for (var i = 0; i < chunks.Length; i++)
        {
            chunks[i] /= Math.Min(chunk, tokens.Length - i * chunk);
        }

        return new PerplexityResult(tokens.Length, total / tokens.Length, [.. chunks]);
    }

    /// <summary>Releases the weights.</summary>
    public void Dispose() => _shard.Dispose();

    /// <summary>Feeds the next piece of every session as one batch, adds up what its tokens cost, and takes out the sessions that are through.</summary>
    private int Advance(List<Session> sessions, int piece, double[] sums)
    {
        var vocabulary = _shard.Shape.VocabularySize;
        if (_logits.Length < sessions.Count * piece * vocabulary)
        {
            _logits = new float[sessions.Count * piece * vocabulary];
        }

        var steps = new ShardStep[sessions.Count];
        for (var i = 0; i < steps.Length; i++)
        {
            steps[i] = sessions[i].NextStep(piece, _logits.AsMemory(i * piece * vocabulary, piece * vocabulary));
        }

        _shard.Forward(steps, _team);
        var scored = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            for (var row = 0; row < steps[i].Count; row++)
            {
                var logits = steps[i].Logits.Span.Slice(row * vocabulary, vocabulary);
                var wanted = sessions[i].Tokens.Span[sessions[i].Scored + row];
                sums[sessions[i].Chunk] += LogSoftmax.LogSumExp(logits, _scratch) - logits[wanted];
            }

            sessions[i].Scored += steps[i].Count;
            scored += steps[i].Count;
        }

        foreach (var done in sessions.Where(session => session.Scored == session.Tokens.Length))
        {
            done.Cache.Dispose();
        }

        sessions.RemoveAll(session => session.Scored == session.Tokens.Length);
        return scored;
    }

    /// <summary>One chunk on its way through the model.</summary>
    private sealed class Session
    {
        private readonly int[] _input;

        public Session(TransformerShard shard, ReadOnlyMemory<int> tokens, int startToken, int chunk)
        {
            (Tokens, Chunk, Cache) = (tokens, chunk, shard.CreateCache(tokens.Length));
            _input = [startToken, .. tokens.Span[..^1]];
            var vocabulary = shard.Shape.VocabularySize;
            // Only the last token is scored without being fed.
            if ((uint)tokens.Span[^1] >= (uint)vocabulary)
            {
                throw new ArgumentOutOfRangeException(nameof(tokens), tokens.Span[^1], $"The tokens have an id outside of the model's vocabulary of {vocabulary}.");
            }
        }

        public ReadOnlyMemory<int> Tokens { get; }

        public int Chunk { get; }

        public KvCache Cache { get; }

        public int Scored { get; set; }

        public ShardStep NextStep(int piece, Memory<float> logits)
        {
            var count = Math.Min(piece, _input.Length - Scored);
            return new ShardStep { Cache = Cache, Count = count, Tokens = _input.AsMemory(Scored, count), LogitRows = count, Logits = logits };
        }
    }
}
