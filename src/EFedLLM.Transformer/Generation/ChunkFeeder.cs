using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Generation;

/// <summary>
/// Feeds a text through a whole model to score it: the tokens are cut into chunks; each chunk is fed by itself from position 0 as a
/// start token and the chunk without its last token, and each row of logits scores the token that follows it. A batch at a time, so
/// that never more than one batch of logits is in memory. Feeders of the same tokens, chunk and vocabulary make the same batches.
/// </summary>
public sealed class ChunkFeeder : IDisposable
{
    // A batch has about so many rows, and its logits at most so many values: larger is no faster.
    private const int BatchRows = 1024;
    private const int BatchLogits = 1 << 23;

    private readonly TransformerShard _shard;
    private readonly ReadOnlyMemory<int> _tokens;
    private readonly int _startToken;
    private readonly int _chunk;
    private readonly int _piece;
    private readonly int _together;
    private readonly List<Session> _sessions = [];
    private readonly int[] _scored;
    private int _next;

    /// <summary>A feeder that has fed nothing yet.</summary>
    /// <param name="shard">The whole model, which must outlive the feeder.</param>
    /// <param name="tokens">Token ids, at least one. The last chunk may be shorter than the others.</param>
    /// <param name="startToken">Fed before each chunk: the token that begins or parts texts, as the model was trained.</param>
    /// <param name="chunk">Tokens of a chunk, 1 to the context length.</param>
    /// <exception cref="ArgumentException">There are no tokens, the chunk does not fit the context, or an id is outside of the vocabulary.</exception>
    public ChunkFeeder(TransformerShard shard, ReadOnlyMemory<int> tokens, int startToken, int chunk)
    {
        ArgumentNullException.ThrowIfNull(shard);
        var (context, vocabulary) = (shard.Shape.ContextLength, shard.Shape.VocabularySize);
        if (tokens.IsEmpty)
        {
            throw new ArgumentException("There are no tokens to score.", nameof(tokens));
        }

        if (chunk < 1 || chunk > context)
        {
            throw new ArgumentOutOfRangeException(nameof(chunk), chunk, $"A chunk must have 1 to {context} tokens, the model's context.");
        }

        foreach (var token in tokens.Span)
        {
            CheckToken(token, vocabulary, nameof(tokens));
        }

        CheckToken(startToken, vocabulary, nameof(startToken));
        (_shard, _tokens, _startToken, _chunk) = (shard, tokens, startToken, chunk);

        // What is too long for one batch goes in pieces, which give the same logits.
        var rows = Math.Clamp(BatchLogits / vocabulary, 1, BatchRows);
        _piece = Math.Min(chunk, rows);
        _together = Math.Min(Math.Max(1, rows / _piece), Chunks);
        _scored = new int[_together * _piece];
    }

    /// <summary>Rows of the largest batch.</summary>
    public int MostRows => _scored.Length;

    private int Chunks => (_tokens.Length + _chunk - 1) / _chunk;

    /// <summary>Computes the next batch.</summary>
    /// <param name="logits">Receives the logits, [rows, vocabulary]; has room for <see cref="MostRows"/> rows.</param>
    /// <param name="team">The threads that share the work.</param>
    /// <returns>For each row the place in the text of the token that it scores; empty when the text is through. Valid until the next call.</returns>
    /// <exception cref="NonFiniteStepException">The model does not lead to finite numbers.</exception>
    public ReadOnlySpan<int> Next(Memory<float> logits, ComputeTeam team)
    {
        if (_sessions.Count == 0)
        {
            for (var taken = 0; taken < _together && _next < Chunks; taken++, _next++)
            {
                var first = _next * _chunk;
                _sessions.Add(new Session(_shard, _tokens.Slice(first, Math.Min(_chunk, _tokens.Length - first)), _startToken, first));
            }
        }

        if (_sessions.Count == 0)
        {
            return [];
        }

        var (rows, vocabulary) = (0, _shard.Shape.VocabularySize);
        var steps = new ShardStep[_sessions.Count];
        for (var i = 0; i < steps.Length; i++)
        {
            var (session, step) = (_sessions[i], _sessions[i].NextStep(_piece, logits[(rows * vocabulary)..]));
            for (var row = 0; row < step.Count; row++)
            {
                _scored[rows++] = session.First + session.Fed + row;
            }

            steps[i] = step;
        }

        _shard.Forward(steps, team);
        for (var i = 0; i < steps.Length; i++)
        {
            _sessions[i].Fed += steps[i].Count;
        }

        Release(session => session.IsThrough);
        return _scored.AsSpan(0, rows);
    }

    /// <summary>Releases the caches of what is not through.</summary>
    public void Dispose() => Release(_ => true);

    private static void CheckToken(int token, int vocabulary, string name)
    {
        if ((uint)token >= (uint)vocabulary)
        {
            throw new ArgumentOutOfRangeException(name, token, $"The tokens have an id outside of the model's vocabulary of {vocabulary}.");
        }
    }

    private void Release(Predicate<Session> which)
    {
        foreach (var session in _sessions.Where(session => which(session)))
        {
            session.Cache.Dispose();
        }

        _sessions.RemoveAll(which);
    }

    /// <summary>One chunk on its way through the model.</summary>
    private sealed class Session
    {
        private readonly int[] _input;

        public Session(TransformerShard shard, ReadOnlyMemory<int> tokens, int startToken, int first)
        {
            (First, Cache) = (first, shard.CreateCache(tokens.Length));
            _input = [startToken, .. tokens.Span[..^1]];
        }

        /// <summary>The place in the text of the chunk's first token.</summary>
        public int First { get; }

        public KvCache Cache { get; }

        public int Fed { get; set; }

        public bool IsThrough => Fed == _input.Length;

        public ShardStep NextStep(int piece, Memory<float> logits)
        {
            var count = Math.Min(piece, _input.Length - Fed);
            return new ShardStep { Cache = Cache, Count = count, Tokens = _input.AsMemory(Fed, count), LogitRows = count, Logits = logits };
        }
    }
}
