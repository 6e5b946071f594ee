using System.Runtime.Intrinsics;

namespace EFedLLM.Compression.Calibration;

/// <summary>What logits say about a text, in nats.</summary>
internal static class LogitScores
{
    /// <summary>Sum over positions of -log p(token).</summary>
    /// <param name="logits">[positions, vocabulary].</param>
    /// <param name="tokens">The token that follows each position.</param>
    public static double NegativeLogLikelihood(ReadOnlySpan<float> logits, ReadOnlySpan<int> tokens)
    {
        var vocabulary = logits.Length / tokens.Length;
        var sum = 0.0;
        for (var i = 0; i < tokens.Length; i++)
        {
            var row = logits.Slice(i * vocabulary, vocabulary);
            sum += LogSumExp(row) - row[tokens[i]];
        }

        return sum;
    }

    /// <summary>log Σ exp(logit).</summary>
    public static double LogSumExp(ReadOnlySpan<float> row)
    {
        var most = float.NegativeInfinity;
        foreach (var value in row)
        {
            most = Math.Max(most, value);
        }

        var sum = Vector512<double>.Zero;
        var shift = Vector512.Create(most);
        var i = 0;
        for (; i <= row.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var (low, high) = Vector512.Widen(Vector512.Exp(Vector512.Create(row[i..]) - shift));
            sum += low + high;
        }

        var total = Vector512.Sum(sum);
        for (; i < row.Length; i++)
        {
            total += Math.Exp((double)row[i] - most);
        }

        return most + Math.Log(total);
    }
}
