using System.Diagnostics;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Layers;

/// <summary>How fast this device is: one real layer, computed over and over for a moment.</summary>
internal static class SpeedProbe
{
    private const int MinimumRepeats = 3;
    private static readonly TimeSpan Duration = TimeSpan.FromMilliseconds(100);

    /// <summary>Bytes of weights per second that the kernels get through, token by token.</summary>
    /// <param name="source">A model.</param>
    /// <param name="team">The device's compute threads.</param>
    public static double Measure(IModelSource source, ComputeTeam team)
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
