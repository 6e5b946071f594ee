using System.Diagnostics;
using EFedLLM.Compression;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// How fast this device is: one layer, computed over and over for a moment. It is the same random one on every device, so that those that
/// have a model's files can be compared with those that are still to fetch them.
/// </summary>
internal static class SpeedProbe
{
    private static readonly ModelShape Shape = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 64,
        HiddenSize = 384,
        IntermediateSize = 1024,
        Layers = 1,
        Heads = 6,
        KeyValueHeads = 2,
        HeadSize = 64,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    // Enough that a busy machine lets some of them run undisturbed: the best one counts.
    private const int MinimumRepeats = 30;
    private static readonly TimeSpan Duration = TimeSpan.FromMilliseconds(100);

    /// <summary>Bytes of weights per second that the kernels get through, token by token.</summary>
    /// <param name="team">The device's compute threads.</param>
    /// <exception cref="IOException">The layer cannot be written to the folder of temporary files.</exception>
    public static double Measure(ComputeTeam team)
    {
        var folder = Directory.CreateTempSubdirectory("efedllm-probe-").FullName;
        try
        {
            RandomModel.Write(Shape, folder, seed: 1);
            using var source = FactoredModel.Open(folder);
            return Measure(source, team);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Measure(FactoredModel source, ComputeTeam team)
    {
        using var shard = TransformerShard.Load(source, new LayerRange(1, 2));
        using var cache = shard.CreateCache(1);
        var step = new ShardStep { Cache = cache, Count = 1, Hidden = new float[source.Shape.HiddenSize] };
        ShardStep[] steps = [step];
        var start = Stopwatch.GetTimestamp();
        var best = TimeSpan.MaxValue;
        for (var repeat = 0; repeat < MinimumRepeats || Stopwatch.GetElapsedTime(start) < Duration; repeat++)
        {
            cache.Truncate(0);
            step.Hidden.Span.Fill(1f / 64);
            var before = Stopwatch.GetTimestamp();
            shard.Forward(steps, team);
            var time = Stopwatch.GetElapsedTime(before);
            best = time < best ? time : best;
        }

        return shard.WeightBytesPerToken / Math.Max(best.TotalSeconds, 1e-9);
    }
}
