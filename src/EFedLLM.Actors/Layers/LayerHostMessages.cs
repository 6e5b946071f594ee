using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>To the host: the folders are opened and the speed is measured.</summary>
/// <param name="Library">The models.</param>
/// <param name="BytesPerSecond">The speed; 0 when it cannot be measured.</param>
/// <param name="Problem">Why the device must not serve, and what to do; null where nothing speaks against it.</param>
internal sealed record DeviceReady(ModelLibrary Library, double BytesPerSecond, string? Problem) : INoSerializationVerificationNeeded;

/// <summary>To the host: a range is loaded.</summary>
/// <param name="Model">The model.</param>
/// <param name="Shard">The range.</param>
internal sealed record RangeLoaded(ModelId Model, TransformerShard Shard) : INoSerializationVerificationNeeded;

/// <summary>To the host: a range cannot be loaded.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The range.</param>
/// <param name="Error">Why.</param>
internal sealed record RangeNotLoaded(ModelId Model, LayerRange Range, Exception Error) : INoSerializationVerificationNeeded;

/// <summary>To the host: a file of a range is damaged, and not there any more.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The range.</param>
/// <param name="Error">What is wrong with it.</param>
internal sealed record FileDamaged(ModelId Model, LayerRange Range, Exception Error) : INoSerializationVerificationNeeded;

/// <summary>To the host: the files of a range are there.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The range.</param>
/// <param name="Bytes">Bytes of those that were not.</param>
/// <param name="Before">Bytes of them that were there from a fetch that had not come to its end.</param>
internal sealed record RangeFetched(ModelId Model, LayerRange Range, long Bytes, long Before) : INoSerializationVerificationNeeded;

/// <summary>To the host: a model's manifest is there.</summary>
/// <param name="Model">The model.</param>
internal sealed record ManifestFetched(ModelId Model) : INoSerializationVerificationNeeded;

/// <summary>To the host: a model's manifest cannot be fetched.</summary>
/// <param name="Model">The model.</param>
/// <param name="Error">Why.</param>
internal sealed record ManifestNotFetched(ModelId Model, Exception Error) : INoSerializationVerificationNeeded;

/// <summary>Host to itself: others want to know how far it is.</summary>
internal sealed record TellProgress : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static TellProgress Instance { get; } = new();
}

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

/// <summary>To the host: how far other devices are.</summary>
/// <param name="Links">At most <see cref="ProtocolLimits.LinkSamples"/>.</param>
internal sealed record LinksMeasured(ImmutableArray<LinkSample> Links) : INoSerializationVerificationNeeded;
