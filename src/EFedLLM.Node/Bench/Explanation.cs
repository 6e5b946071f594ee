using EFedLLM.Node.Doctor;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Node.Bench;

/// <summary>Puts together why a model runs as fast as it does here.</summary>
internal static class Explanation
{
    private const int Passes = 24;

    /// <summary>Measures the bandwidth and works out the rest.</summary>
    /// <param name="model">The model.</param>
    /// <param name="threads">Numbers of threads to measure the bandwidth of.</param>
    /// <param name="settings">Tokens of the prompt.</param>
    /// <param name="cancellation">Ends it between two passes over memory.</param>
    public static ExplainFacts Of(FactoredModel model, IReadOnlyList<int> threads, BenchSettings settings, CancellationToken cancellation)
    {
        var (manifest, shape, blocking) = (model.Manifest, model.Shape, Blocking.Here);
        MatrixForm[] forms = [.. manifest.MatricesOf(1), .. manifest.MatricesOf(shape.Units - 1)];
        var step = Math.Min(settings.PromptTokens, settings.Chunk);
        var bits = BitsOf(forms[0]).First();
        var prompt = Traffic.OfStep(manifest, step, blocking);
        return new ExplainFacts
        {
            Processor = MachineProbe.ProcessorName(),
            Processors = Environment.ProcessorCount,
            CacheBytes = [blocking.Caches.Level1, blocking.Caches.Level2, blocking.Caches.Level3],
            CachesAreRead = blocking.Caches.AreRead,
            Bandwidths = [.. threads.Select(count => new BandwidthFacts(count, ReadBandwidth.Measure(count, Passes, cancellation)))],
            DotBits = KernelFacts.DotBits,
            FloatBits = KernelFacts.FloatBits,
            Instructions = [.. forms.SelectMany(BitsOf).Distinct().OrderDescending().Select(bits => new InstructionFacts(bits, KernelFacts.Instructions(bits)))],
            DecodeTile = Tile(1, bits),
            PrefillTile = Tile(step, bits),
            NearBytes = blocking.NearBytes,
            Model = manifest.Name,
            BitsPerWeight = manifest.ReadBitsPerWeight,
            Matrices = [.. forms.Select(form => Facts(form, blocking))],
            Token = Traffic.OfToken(manifest),
            CacheBytesPerPosition = KvCache.BytesFor(shape, LayerRange.Whole(shape.Layers), KvCache.PagePositions) / KvCache.PagePositions,
            PromptTokens = step,
            Prompt = prompt,
        };
    }

    private static IEnumerable<int> BitsOf(MatrixForm form) => new[] { form.Base?.Bits, form.Rank > 0 ? form.Factors?.Bits : null }.OfType<int>();

    private static TileFacts Tile(int tokens, int bits)
    {
        var (rows, together) = KernelFacts.Tile(tokens, bits);
        return new TileFacts(rows, together);
    }

    private static MatrixFacts Facts(MatrixForm form, Blocking blocking)
    {
        var (rows, bytes) = Traffic.Window(form, blocking);
        return new MatrixFacts(form.Name, form.Outputs, form.Inputs, form.Base?.Bits ?? 0, form.Rank, form.Bytes, rows, bytes);
    }
}
