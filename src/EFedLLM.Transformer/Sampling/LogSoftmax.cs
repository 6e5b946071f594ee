using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Sampling;

/// <summary>Probabilities of tokens under the model (temperature 1), the same bits everywhere.</summary>
public static class LogSoftmax
{
    /// <summary>The natural logarithm of the sum of exp(logit): a token's log-probability is its logit less this.</summary>
    /// <param name="logits">Finite, at least one.</param>
    /// <param name="scratch">As long as the logits; overwritten.</param>
    public static double LogSumExp(ReadOnlySpan<float> logits, Span<float> scratch)
    {
        var max = FloatKernels.Best.Max(logits);
        logits.CopyTo(scratch);
        FloatKernels.Best.ExpShifted(scratch, max);
        var sum = 0.0;
        foreach (var value in scratch)
        {
            sum += value;
        }

        return max + DoubleMath.Log(sum);
    }
}
