using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>Measures a model in this process, without a cluster: what the kernels give, and what a cluster is compared with.</summary>
internal static class ProcessBench
{
    /// <summary>Measures prefill and decode, and where the settings want several sessions at once, all tokens of these.</summary>
    /// <param name="model">The model.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    public static IReadOnlyList<BenchSample> Run(FactoredModel model, int threads, BenchSettings settings, CancellationToken cancellation)
    {
        using var session = new ProcessSession(model, threads, settings);
        var prefill = new List<double>();
        var decode = new List<double>();
        var together = new List<double>();
        long allocated = 0;
        for (var repetition = 0; repetition <= settings.Repetitions; repetition++)
        {
            cancellation.ThrowIfCancellationRequested();
            var read = session.Prefill();
            var generated = session.Decode(cancellation);
            var all = settings.Sessions > 1 ? session.DecodeTogether(cancellation) : TimeSpan.Zero;
            allocated = session.AllocatedByOneToken();
            if (repetition > 0)
            {
                prefill.Add(settings.PromptTokens / read.TotalSeconds);
                decode.Add(settings.DecodeTokens / generated.TotalSeconds);
                together.Add(settings.Sessions * settings.DecodeTokens / all.TotalSeconds);
            }
        }

        double bytes = model.Manifest.ReadBytesPerToken;
        var resident = Environment.WorkingSet;
        List<BenchSample> samples =
        [
            Sample("prefill", settings.PromptTokens, prefill, bytes * settings.PromptSteps / settings.PromptTokens, null),
            Sample("decode", settings.DecodeTokens, decode, bytes, allocated),
        ];
        if (settings.Sessions > 1)
        {
            samples.Add(Sample($"decode x {settings.Sessions}", settings.Sessions * settings.DecodeTokens, together, bytes / settings.Sessions, null));
        }

        return samples;

        BenchSample Sample(string phase, int tokens, List<double> rates, double read, double? allocations)
        {
            var rate = Statistics.Quantile(rates, 0.5);
            return new BenchSample("this process", phase, threads, 0, tokens, rate, Statistics.Deviation(rates), read, rate * read / 1e9, null, null, allocations)
            {
                StreamedBytesPerToken = session.StreamedBytes == 0 ? null : session.StreamedBytes * read / bytes,
                ResidentBytes = resident,
                BesideWeightsBytes = resident - Math.Min(model.Manifest.TotalBytes, settings.WeightBytes),
            };
        }
    }
}
