using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>Compute thread to its shard: the batch is computed.</summary>
internal sealed record BatchComputed : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static BatchComputed Instance { get; } = new();
}

/// <summary>Shard to itself, now and then: forget silent sessions.</summary>
internal sealed record ForgetIdle : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static ForgetIdle Instance { get; } = new();
}

/// <summary>Host to shard: take no new sessions, ask the pipelines of those there are to move them, and say <see cref="ShardDrained"/> when the last one is closed.</summary>
internal sealed record DrainShard : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static DrainShard Instance { get; } = new();
}

/// <summary>Host to shard: the range is wanted after all.</summary>
internal sealed record ResumeShard : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static ResumeShard Instance { get; } = new();
}

/// <summary>Shard to host: no session is left.</summary>
/// <param name="Shard">The shard.</param>
internal sealed record ShardDrained(IActorRef Shard) : INoSerializationVerificationNeeded;

/// <summary>What a shard is given.</summary>
/// <param name="Model">The model.</param>
/// <param name="Shard">The weights; the actor disposes them.</param>
/// <param name="Worker">The device's compute thread.</param>
/// <param name="Budget">The device's cache memory.</param>
/// <param name="MaxSessions">Most sessions.</param>
/// <param name="BatchRows">Most rows of a batch.</param>
/// <param name="IdleSession">When a silent session is forgotten.</param>
/// <param name="Time">The clock.</param>
/// <param name="Released">Called, on any thread, when weights and caches are gone from memory.</param>
/// <param name="Key">Signs receipts; null for a device that cannot.</param>
/// <param name="Saboteur">What it does wrong; null for an honest device.</param>
/// <param name="Cluster">The cluster for which it signs.</param>
/// <param name="SendDelay">How long what it computed waits before it leaves.</param>
internal sealed record LayerShardParts(
    ModelId Model,
    Transformer.Blocks.TransformerShard Shard,
    ShardWorker Worker,
    CacheBudget Budget,
    int MaxSessions,
    int BatchRows,
    TimeSpan IdleSession,
    TimeProvider Time,
    Action Released,
    DeviceKey? Key = null,
    Saboteur? Saboteur = null,
    ClusterId Cluster = default,
    TimeSpan SendDelay = default);

/// <summary>Shard to itself: what waited leaves.</summary>
internal sealed record SendLate : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static SendLate Instance { get; } = new();
}

/// <summary>A saboteur's shard to itself, later: open what it was asked for.</summary>
/// <param name="Message">What was asked: <see cref="FetchKept"/> or <see cref="FetchCache"/>.</param>
/// <param name="Sender">Who asked.</param>
internal sealed record OpenLate(ISessionMessage Message, IActorRef Sender) : INoSerializationVerificationNeeded;
