using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>What a device does about a range.</summary>
internal enum HoldingStep
{
    /// <summary>Load it.</summary>
    Load,

    /// <summary>Take no new sessions; throw it out when the last is closed.</summary>
    Drain,

    /// <summary>Take sessions again.</summary>
    Resume,

    /// <summary>Do nothing and say why.</summary>
    Refuse,
}

/// <summary>A decision about a range.</summary>
/// <param name="Step">What to do.</param>
/// <param name="Model">The model.</param>
/// <param name="Range">The units.</param>
/// <param name="Bytes">Bytes of weights.</param>
/// <param name="Reason">Why it is refused, for people; else empty.</param>
internal sealed record HoldingAction(HoldingStep Step, ModelId Model, LayerRange Range, long Bytes, string Reason = "");
