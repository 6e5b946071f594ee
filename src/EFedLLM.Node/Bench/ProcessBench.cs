using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>Measures a model in this process, without a cluster: what the kernels give, and what a cluster is compared with.</summary>
internal static class ProcessBench
{
    /// <summary>Measures prefill and decode.</summary>
    /// <param name="model">The model.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    public static IReadOnlyList<BenchSample> Run(FactoredModel model, int threads, BenchSettings settings, CancellationToken cancellation)
    {
        using var session = new ProcessSession(model, threads, settings);
        var prefill = new List<double>();
        var decode = new List<double>();
        long allocated = 0;
        for (var repetition = 0; repetition <= settings.Repetitions; repetition++)
        {
            cancellation.ThrowIfCancellationRequested();
            var read = session.Prefill();
            var generated = session.Decode(cancellation);
            allocated = session.AllocatedByOneToken();
            if (repetition > 0)
            {
                prefill.Add(settings.PromptTokens / read.TotalSeconds);
                decode.Add(settings.DecodeTokens / generated.TotalSeconds);
            }
        }

        double bytes = model.Manifest.ReadBytesPerToken;
        return
        [
            Sample("prefill", settings.PromptTokens, prefill, bytes * settings.PromptSteps / settings.PromptTokens, null),
            Sample("decode", settings.DecodeTokens, decode, bytes, allocated),
        ];

        BenchSample Sample(string phase, int tokens, List<double> rates, double read, double? allocations)
        {
            var rate = Statistics.Quantile(rates, 0.5);
            return new BenchSample("this process", phase, threads, 0, tokens, rate, Statistics.Deviation(rates), read, rate * read / 1e9, null, null, allocations);
        }
    }
}
