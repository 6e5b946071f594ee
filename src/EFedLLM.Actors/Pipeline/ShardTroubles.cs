using Akka.Actor;

namespace EFedLLM.Actors.Pipeline;

/// <summary>The shards that a session had trouble with, and for how long each is left alone.</summary>
internal sealed class ShardTroubles
{
    private const int MostDoublings = 4;

    private static readonly TimeSpan FirstRest = TimeSpan.FromSeconds(1);

    private readonly Dictionary<IActorRef, Trouble> _troubles = [];

    /// <summary>It did not answer or had no room: left alone for a while, twice as long each time.</summary>
    public void Rest(IActorRef shard, TimeSpan now)
    {
        var trouble = Of(shard);
        _troubles[shard] = trouble with { Until = Max(trouble.Until, now + (FirstRest * (1 << Math.Min(trouble.Rests, MostDoublings)))), Rests = trouble.Rests + 1 };
    }

    /// <summary>It is gone and does not come back: a new one has another reference.</summary>
    public void End(IActorRef shard) => _troubles[shard] = Of(shard) with { Until = TimeSpan.MaxValue };

    /// <summary>It could not compute. The second time it is no choice any more.</summary>
    public void Fail(IActorRef shard, int times) => _troubles[shard] = Of(shard) with { Failures = Of(shard).Failures + times };

    /// <summary>It says that something was lost on the way to it. How often it has said so.</summary>
    public int Miss(IActorRef shard) => (_troubles[shard] = Of(shard) with { Misses = Of(shard).Misses + 1 }).Misses;

    /// <summary>Whether it is left alone now.</summary>
    public bool IsResting(IActorRef shard, TimeSpan now) => _troubles.TryGetValue(shard, out var trouble) && trouble.Until > now;

    /// <summary>How often it could not compute.</summary>
    public int Failures(IActorRef shard) => _troubles.TryGetValue(shard, out var trouble) ? trouble.Failures : 0;

    /// <summary>When the next one has rested, or null when none does.</summary>
    public TimeSpan? NextEnd(TimeSpan now)
    {
        TimeSpan? next = null;
        foreach (var trouble in _troubles.Values)
        {
            if (trouble.Until > now && trouble.Until < TimeSpan.MaxValue && !(trouble.Until >= next))
            {
                next = trouble.Until;
            }
        }

        return next;
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private Trouble Of(IActorRef shard) => _troubles.GetValueOrDefault(shard);

    private readonly record struct Trouble(TimeSpan Until, int Rests, int Failures, int Misses);
}
