using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
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

/// <summary>To the host: the device leaves. Answered by <see cref="Akka.Done"/> when its last session is closed.</summary>
internal sealed record LeaveDevice : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static LeaveDevice Instance { get; } = new();
}

/// <summary>To the host: how far other devices are.</summary>
/// <param name="Links">At most <see cref="ProtocolLimits.LinkSamples"/>.</param>
internal sealed record LinksMeasured(ImmutableArray<LinkSample> Links) : INoSerializationVerificationNeeded;
