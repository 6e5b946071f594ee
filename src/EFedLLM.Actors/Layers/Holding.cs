using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>Where a range is on its way into and out of a device's memory.</summary>
internal enum HoldingState
{
    /// <summary>It is being loaded.</summary>
    Loading,

    /// <summary>It takes sessions.</summary>
    Serving,

    /// <summary>It takes no new sessions.</summary>
    Draining,

    /// <summary>It is being thrown out.</summary>
    Ending,
}

/// <summary>A range that takes a device's memory.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The units.</param>
/// <param name="Bytes">Bytes of weights.</param>
/// <param name="State">Where it is.</param>
internal sealed record Holding(ModelId Model, LayerRange Range, long Bytes, HoldingState State);

/// <summary>A range that a plan wants a device to hold.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The units.</param>
/// <param name="Bytes">Bytes of weights.</param>
internal sealed record WantedRange(ModelId Model, LayerRange Range, long Bytes);
