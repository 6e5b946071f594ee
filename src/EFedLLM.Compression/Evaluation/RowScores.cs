using System.Buffers;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Compression.Evaluation;

/// <summary>Scores the rows of a batch of logits, each by itself, so that threads may share them.</summary>
/// <param name="tokens">The text.</param>
/// <param name="vocabulary">Number of token ids.</param>
internal sealed class RowScores(ReadOnlyMemory<int> tokens, int vocabulary) : IParallelWork
{
    private int[] _places = [];
    private float[] _logits = [];
    private float[]? _expected;

    /// <summary>[rows]: what the row's token costs, in nats.</summary>
    public double[] Costs { get; private set; } = [];

    /// <summary>[rows]: the divergence from the expected logits, 0 without them.</summary>
    public double[] Divergences { get; private set; } = [];

    /// <summary>[rows]: whether the most likely token is the expected one.</summary>
    public bool[] Agree { get; private set; } = [];

    /// <summary>Takes the next batch.</summary>
    /// <param name="places">For each row the place in the text of the token that it scores.</param>
    /// <param name="logits">[rows, vocabulary].</param>
    /// <param name="expected">The reference's, [rows, vocabulary]; null where these are the reference's own.</param>
    public void Begin(ReadOnlySpan<int> places, float[] logits, float[]? expected)
    {
        (_logits, _expected) = (logits, expected);
        if (Costs.Length < places.Length)
        {
            (_places, Costs, Divergences, Agree) = (new int[places.Length], new double[places.Length], new double[places.Length], new bool[places.Length]);
        }

        places.CopyTo(_places);
    }

    /// <inheritdoc/>
    public void Run(int from, int to)
    {
        var scratch = ArrayPool<float>.Shared.Rent(vocabulary);
        for (var row = from; row < to; row++)
        {
            var logits = _logits.AsSpan(row * vocabulary, vocabulary);
            Costs[row] = LogSoftmax.LogSumExp(logits, scratch.AsSpan(0, vocabulary)) - logits[tokens.Span[_places[row]]];
            (Divergences[row], Agree[row]) = (0, true);
            if (_expected is not null)
            {
                var expected = _expected.AsSpan(row * vocabulary, vocabulary);
                Divergences[row] = LogitDivergence.Kl(expected, logits);
                Agree[row] = LogitDivergence.Top(expected) == LogitDivergence.Top(logits);
            }
        }

        ArrayPool<float>.Shared.Return(scratch);
    }
}
