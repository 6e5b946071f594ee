using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>
/// The angles of rotary position embedding: pair i of a head turns by position * frequency(i), with frequency(i) =
/// theta^(-2i / head size), stretched as the model's settings say. In float64, by functions with the same bits everywhere.
/// </summary>
internal sealed class RotaryAngles
{
    private readonly double[] _frequencies; // [head size / 2]

    /// <exception cref="InvalidDataException">The settings turn a pair further over the context than angles are computed for.</exception>
    public RotaryAngles(RopeSettings settings, int headSize, int contextLength)
    {
        _frequencies = new double[headSize / 2];
        var logTheta = DoubleMath.Log(settings.Theta);
        for (var i = 0; i < _frequencies.Length; i++)
        {
            _frequencies[i] = Stretch(DoubleMath.Exp(-2.0 * i / headSize * logTheta), settings.Scaling);
            if (!(_frequencies[i] * contextLength <= DoubleMath.LargestAngle))
            {
                throw new InvalidDataException($"Rotary embedding with the base {settings.Theta} and the factor {settings.Scaling?.Factor} turns too fast for {contextLength} positions. Correct rope_scaling in config.json.");
            }
        }
    }

    /// <summary>Writes the cosines and sines of a position, each [head size / 2].</summary>
    public void Fill(int position, Span<float> cosines, Span<float> sines)
    {
        for (var i = 0; i < _frequencies.Length; i++)
        {
            var (sin, cos) = DoubleMath.SinCos(position * _frequencies[i]);
            (cosines[i], sines[i]) = ((float)cos, (float)sin);
        }
    }

    /// <summary>Linear: Chen et al., "Extending Context Window of Large Language Models via Positional Interpolation", 2023. Llama3: as published with Llama 3.1 (long waves are stretched, short ones kept, those between blended).</summary>
    private static double Stretch(double frequency, RopeScaling? scaling)
    {
        switch (scaling?.Kind)
        {
            case null:
                return frequency;
            case RopeScalingKind.Linear:
                return frequency / scaling.Factor;
            default:
                var waves = scaling.OriginalContextLength * frequency / (2 * Math.PI);
                var kept = (waves - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
                kept = kept < 0 ? 0 : kept > 1 ? 1 : kept;
                return (1 - kept) * (frequency / scaling.Factor) + kept * frequency;
        }
    }
}
