using System.Diagnostics;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Evaluation;

/// <summary>How fast a model decodes: one token after the other, each with its logits, as an answer is generated.</summary>
public static class DecodeSpeed
{
    private const int WarmUp = 8;
    private const int LeastSteps = 8;
    private const int MostSteps = 128;

    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(1.5);

    /// <summary>Feeds tokens one by one, for at most about a second and a half.</summary>
    /// <param name="shard">The whole model.</param>
    /// <param name="tokens">What is fed, over and over; at least one token.</param>
    /// <param name="team">The threads that compute.</param>
    /// <param name="cancellation">Ends it between two tokens.</param>
    /// <returns>Tokens per second by the median step.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static double Measure(TransformerShard shard, ReadOnlyMemory<int> tokens, ComputeTeam team, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(shard);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens.Length, 1, nameof(tokens));
        using var cache = shard.CreateCache(Math.Min(shard.Shape.ContextLength, WarmUp + MostSteps));
        ShardStep[] steps = [new ShardStep { Cache = cache, Count = 1, LogitRows = 1, Logits = new float[shard.Shape.VocabularySize] }];
        var times = new List<double>(MostSteps);
        var began = 0L;
        for (var step = 0; step < WarmUp + MostSteps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (cache.Length == cache.Limit)
            {
                cache.Truncate(0);
            }

            steps[0].Tokens = tokens.Slice(step % tokens.Length, 1);
            var start = Stopwatch.GetTimestamp();
            began = step == WarmUp ? start : began;
            shard.Forward(steps, team);
            if (step >= WarmUp)
            {
                times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                if (times.Count >= LeastSteps && Stopwatch.GetElapsedTime(began) > Enough)
                {
                    break;
                }
            }
        }

        return 1 / SideBySide.NearestRank(times, 0.5);
    }
}
