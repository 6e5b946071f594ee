using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>The factors of the moments of a unit's places.</summary>
internal static class Feedbacks
{
    /// <summary>
    /// What is added to S's diagonal, as a share of its mean: a text is a sample, and directions that it hardly shows
    /// occur in other texts.
    /// </summary>
    public const double Damping = 0.01;

    /// <summary>Factors the moments, several at a time.</summary>
    public static Dictionary<InputSite, ErrorFeedback> Of(IReadOnlyDictionary<InputSite, double[]> moments, CalibrationContext context)
    {
        var sites = moments.Keys.Order().ToArray();
        var factors = new ErrorFeedback[sites.Length];
        Parallel.For(0, sites.Length, new ParallelOptions { MaxDegreeOfParallelism = context.Threads, CancellationToken = context.Cancellation }, index =>
        {
            var moment = moments[sites[index]];
            factors[index] = ErrorFeedback.Of(moment, (int)Math.Sqrt(moment.LongLength), Damping);
        });
        return sites.Zip(factors).ToDictionary(pair => pair.First, pair => pair.Second);
    }
}
