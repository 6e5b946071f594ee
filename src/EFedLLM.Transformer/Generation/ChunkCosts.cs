namespace EFedLLM.Transformer.Generation;

/// <summary>Adds up what the tokens of a text cost, chunk by chunk. A chunk's tokens are added in their order, so that the sum has the same bits whatever the batches were.</summary>
public sealed class ChunkCosts
{
    private readonly int _tokens;
    private readonly int _chunk;
    private readonly double[] _sums;

    /// <summary>Nothing is added yet.</summary>
    /// <param name="tokens">Tokens of the text, at least 1.</param>
    /// <param name="chunk">Tokens of a chunk, at least 1; the last chunk may have fewer.</param>
    public ChunkCosts(int tokens, int chunk)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        (_tokens, _chunk, _sums) = (tokens, chunk, new double[(tokens + chunk - 1) / chunk]);
    }

    /// <summary>Adds the negative log-likelihood of a token, in nats.</summary>
    /// <param name="token">The token's place in the text, from 0.</param>
    /// <param name="cost">What it costs.</param>
    public void Add(int token, double cost) => _sums[token / _chunk] += cost;

    /// <summary>The means, once every token has been added.</summary>
    public PerplexityResult Result() =>
        new(_tokens, _sums.Sum() / _tokens, [.. _sums.Select((sum, index) => sum / Math.Min(_chunk, _tokens - index * _chunk))]);
}
