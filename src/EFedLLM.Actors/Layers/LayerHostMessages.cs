using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>To the host: the folders are opened and the speed is measured.</summary>
/// <param name="Sources">The models.</param>
/// <param name="BytesPerSecond">The speed; 0 without a model.</param>
internal sealed record DeviceReady(ImmutableArray<IModelSource> Sources, double BytesPerSecond) : INoSerializationVerificationNeeded;

/// <summary>To the host: a range is loaded.</summary>
/// <param name="Model">The model.</param>
/// <param name="Shard">The range.</param>
internal sealed record RangeLoaded(ModelId Model, TransformerShard Shard) : INoSerializationVerificationNeeded;

/// <summary>To the host: a range cannot be loaded.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The range.</param>
/// <param name="Error">Why.</param>
internal sealed record RangeNotLoaded(ModelId Model, LayerRange Range, Exception Error) : INoSerializationVerificationNeeded;

/// <summary>To the host: a range is gone from memory.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The range.</param>
internal sealed record RangeReleased(ModelId Model, LayerRange Range) : INoSerializationVerificationNeeded;

/// <summary>Host to itself: sessions of a range that is given up had their time.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The range.</param>
internal sealed record GraceOver(ModelId Model, LayerRange Range) : INoSerializationVerificationNeeded;

/// <summary>Host to itself: the others had their time to take over.</summary>
internal sealed record DrainTimeOver : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static DrainTimeOver Instance { get; } = new();
}

/// <summary>To the host: the device leaves. Answered by <see cref="Akka.Done"/> when the others hold what it held and its last session is closed.</summary>
internal sealed record LeaveDevice : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static LeaveDevice Instance { get; } = new();
}
