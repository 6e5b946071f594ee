using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>One shard's part of a route.</summary>
/// <param name="Device">The device that computes it.</param>
/// <param name="Range">The units it computes.</param>
/// <param name="Shard">The LayerShard actor.</param>
public sealed record Hop(DeviceId Device, LayerRange Range, IActorRef Shard);

/// <summary>The ordered shards a session uses: their ranges join without gap from the embedding to the head.</summary>
/// <param name="Model">The model.</param>
/// <param name="Hops">In execution order.</param>
public sealed record Route(ModelId Model, ImmutableArray<Hop> Hops)
{
    /// <inheritdoc/>
    public bool Equals(Route? other) => other is not null && Model == other.Model && Hops.AsSpan().SequenceEqual(other.Hops.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Model, Hops.Length);
}
