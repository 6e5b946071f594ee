using Akka.Actor;

namespace EFedLLM.Actors.Layers;

/// <summary>What a <see cref="ShardCore"/> needs of the world.</summary>
internal interface IShardOutlet
{
    /// <summary>The time, on any clock that only grows.</summary>
    TimeSpan Now { get; }

    /// <summary>Sends a message to a pipeline or to another hop.</summary>
    void Send(IActorRef receiver, object message);

    /// <summary>From now on the end of a pipeline is to be told by <see cref="ShardCore.PipelineGone"/>.</summary>
    void Watch(IActorRef pipeline);

    /// <summary>The end of a pipeline does not matter any more.</summary>
    void Unwatch(IActorRef pipeline);

    /// <summary>Hands a batch to the compute thread, which is to be followed by <see cref="ShardCore.BatchDone"/>. False when it takes no more.</summary>
    bool TryCompute(IComputeJob batch);

    /// <summary>A session failed.</summary>
    void Warn(SessionFailure failure);

    /// <summary>The shard is draining and has no session left.</summary>
    void Drained();
}
