namespace EFedLLM.Compression.Calibration;

/// <summary>What the uncompressed model foresees at some positions: the distribution that others are compared with.</summary>
internal sealed class ReferenceDistribution
{
    private readonly int _vocabulary;
    private readonly float[] _probabilities; // [positions, vocabulary]
    private readonly double[] _negativeEntropy; // [positions]

    public ReferenceDistribution(int positions, int vocabulary)
    {
        (_vocabulary, _negativeEntropy) = (vocabulary, new double[positions]);
        _probabilities = new float[(long)positions * vocabulary];
    }

    /// <summary>Number of positions.</summary>
    public int Positions => _negativeEntropy.Length;

    /// <summary>Sets the distribution of some positions; several threads may set different ones.</summary>
    /// <param name="position">The first of them.</param>
    /// <param name="logits">[count, vocabulary].</param>
    /// <returns>The sum of their entropies.</returns>
    public double Set(int position, ReadOnlyMemory<float> logits)
    {
        var entropy = 0.0;
        for (var row = 0; row < logits.Length / _vocabulary; row++)
        {
            var source = logits.Span.Slice(row * _vocabulary, _vocabulary);
            var target = _probabilities.AsSpan((position + row) * _vocabulary, _vocabulary);
            var total = LogitScores.LogSumExp(source);
            var sum = 0.0;
            for (var i = 0; i < source.Length; i++)
            {
                var logarithm = source[i] - total;
                target[i] = (float)Math.Exp(logarithm);
                sum += target[i] * logarithm;
            }

            _negativeEntropy[position + row] = sum;
            entropy -= sum;
        }

        return entropy;
    }

    /// <summary>Sum over some positions of KL(this | other) = Σ p·(log p - log q).</summary>
    /// <param name="position">The first of them.</param>
    /// <param name="logits">The other's, [count, vocabulary].</param>
    public double Divergence(int position, ReadOnlyMemory<float> logits)
    {
        var divergence = 0.0;
        for (var row = 0; row < logits.Length / _vocabulary; row++)
        {
            var other = logits.Span.Slice(row * _vocabulary, _vocabulary);
            var probabilities = _probabilities.AsSpan((position + row) * _vocabulary, _vocabulary);
            var (expected, mass) = (0.0, 0.0);
            for (var i = 0; i < other.Length; i++)
            {
                expected += (double)probabilities[i] * other[i];
                mass += probabilities[i];
            }

            divergence += _negativeEntropy[position + row] - expected + mass * LogitScores.LogSumExp(other);
        }

        return divergence;
    }
}
