using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace EFedLLM.Compression.Evaluation;

/// <summary>How far the next-token distribution of a model is from that of a reference, at one position and over the full vocabulary, in float64.</summary>
public static class LogitDivergence
{
    /// <summary>
    /// The Kullback-Leibler divergence KL(P‖Q) = Σ p·ln(p/q) in nats, with P = softmax(reference) and Q = softmax(model)
    /// (Kullback and Leibler, "On Information and Sufficiency", 1951). With a and b the logits less their maxima it is
    /// Σ e^a·(a - b) / Σ e^a - ln Σ e^a + ln Σ e^b: exactly 0 for equal logits.
    /// </summary>
    /// <param name="reference">Finite logits, [vocabulary], at least one.</param>
    /// <param name="model">Finite logits, [vocabulary].</param>
    /// <exception cref="ArgumentException">The lengths differ, or there are no logits.</exception>
    public static double Kl(ReadOnlySpan<float> reference, ReadOnlySpan<float> model)
    {
        if (reference.IsEmpty || reference.Length != model.Length)
        {
            throw new ArgumentException($"{reference.Length} logits cannot be compared with {model.Length}.", nameof(model));
        }

        var (maxP, maxQ) = ((double)reference[Top(reference)], (double)model[Top(model)]);
        var vectorsOfP = MemoryMarshal.Cast<float, Vector128<float>>(reference);
        var vectorsOfQ = MemoryMarshal.Cast<float, Vector128<float>>(model);
        var (sumsP, sumsQ, sumsD) = (Vector256<double>.Zero, Vector256<double>.Zero, Vector256<double>.Zero);
        for (var i = 0; i < vectorsOfP.Length; i++)
        {
            var a = Widen(vectorsOfP[i]) - Vector256.Create(maxP);
            var b = Widen(vectorsOfQ[i]) - Vector256.Create(maxQ);
            var p = Vector256.Exp(a);
            sumsP += p;
            sumsQ += Vector256.Exp(b);
            sumsD += p * (a - b);
        }

        var (sumP, sumQ, sumD) = (Vector256.Sum(sumsP), Vector256.Sum(sumsQ), Vector256.Sum(sumsD));
        for (var i = vectorsOfP.Length * Vector128<float>.Count; i < reference.Length; i++)
        {
            var (a, b) = (reference[i] - maxP, model[i] - maxQ);
            var p = Math.Exp(a);
            sumP += p;
            sumQ += Math.Exp(b);
            sumD += p * (a - b);
        }

        // Rounding can take a divergence of nothing below it.
        return Math.Max(0, sumD / sumP + (Math.Log(sumQ) - Math.Log(sumP)));
    }

    /// <summary>The most likely token: the one that greedy decoding takes, the lowest id of equals.</summary>
    /// <param name="logits">Finite logits, [vocabulary], at least one.</param>
    public static int Top(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var id = 1; id < logits.Length; id++)
        {
            best = logits[id] > logits[best] ? id : best;
        }

        return best;
    }

    private static Vector256<double> Widen(Vector128<float> values) => Vector256.Create(Vector128.WidenLower(values), Vector128.WidenUpper(values));
}
