using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Quantization;

/// <summary>The integers of a form, and the scales that are tried for a group relative to the one that cuts nothing off.</summary>
/// <param name="Least">The least integer.</param>
/// <param name="Most">The greatest integer.</param>
/// <param name="First">The largest trial, as a multiple of the scale that cuts nothing off.</param>
/// <param name="Step">Distance of two trials.</param>
/// <param name="Trials">Number of trials.</param>
internal readonly record struct ScaleSearch(int Least, int Most, double First, double Step, int Trials)
{
    /// <summary>
    /// The search for a form. The fewer the integers, the more of the range is worth giving up for finer steps; a few
    /// trials above 1 round the same group differently without cutting anything off.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such form.</exception>
    public static ScaleSearch Of(GroupForm form) => form.Bits switch
    {
        8 => new(-127, 127, 1.03, 0.0075, 24),
        6 => new(-32, 31, 1.06, 0.0175, 24),
        5 => new(-16, 15, 1.08, 0.0225, 24),
        4 => new(-8, 7, 1.10, 0.0275, 24),
        _ => throw new ArgumentException($"Weights of {form.Bits} bits are not known: 4, 5, 6 and 8 are.", nameof(form)),
    };
}
