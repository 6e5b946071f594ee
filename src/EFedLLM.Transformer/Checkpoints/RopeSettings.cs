namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Rotary position embedding: base frequency and optional scaling.</summary>
/// <param name="Theta">The base, 10000 in the original.</param>
/// <param name="Scaling">How frequencies are stretched for longer contexts, or null.</param>
public sealed record RopeSettings(double Theta, RopeScaling? Scaling = null);

/// <summary>Stretching of rotary frequencies, as <c>rope_scaling</c> in <c>config.json</c>.</summary>
/// <param name="Kind">Linear divides every frequency by the factor; Llama3 interpolates by wavelength.</param>
/// <param name="Factor">The factor.</param>
/// <param name="LowFrequencyFactor">Llama3 only.</param>
/// <param name="HighFrequencyFactor">Llama3 only.</param>
/// <param name="OriginalContextLength">Llama3 only.</param>
public sealed record RopeScaling(
    RopeScalingKind Kind,
    double Factor,
    double LowFrequencyFactor = 1,
    double HighFrequencyFactor = 4,
    int OriginalContextLength = 8192);

/// <summary>The supported kinds of <see cref="RopeScaling"/>.</summary>
public enum RopeScalingKind
{
    /// <summary>Every frequency is divided by the factor.</summary>
    Linear,

    /// <summary>Frequencies are divided depending on their wavelength, as in Llama 3.1.</summary>
    Llama3,
}
