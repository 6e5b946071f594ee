using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>A device as the planner of one model sees it.</summary>
/// <param name="Device">The device.</param>
/// <param name="WeightBytes">Memory for this model's weights: without the share for caches, and without what other models' plans use.</param>
/// <param name="BytesPerSecond">Measured speed; one that is not positive counts as the slowest of the others.</param>
/// <param name="HasFiles">Whether it has the model's files or fetches what it lacks: others cannot load anything of it.</param>
/// <param name="Loaded">The range of the model that it serves now, or null.</param>
/// <param name="Leaving">Whether it is draining, so that it gets nothing.</param>
public sealed record PlacementDevice(DeviceId Device, long WeightBytes, double BytesPerSecond, bool HasFiles, LayerRange? Loaded, bool Leaving)
{
    /// <summary>Units whose weights lie on its disk, so that loading them needs no network; in any order, they may overlap. What it serves need not be among them.</summary>
    public ImmutableArray<LayerRange> HeldUnits { get; init; } = [];

    /// <summary>Round trips to other devices that it measured.</summary>
    public ImmutableArray<LinkSample> Links { get; init; } = [];

    /// <summary>Whether it could be given something at all.</summary>
    internal bool IsAble => this is { HasFiles: true, Leaving: false, WeightBytes: > 0 };
}
