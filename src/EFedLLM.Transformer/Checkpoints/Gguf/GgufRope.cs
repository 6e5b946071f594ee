using System.Text.Json;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// The stretching of rotary frequencies in a GGUF file: a linear factor in the metadata or, for Llama 3.1 and later, a tensor
/// with the number that each frequency is divided by, of which llama.cpp's conversion does not keep the parameters. They are
/// found again, so that angles are computed as in the checkpoint that the file was made of.
/// </summary>
internal static class GgufRope
{
    /// <summary>The relative error of a factor that rounding in the conversion may explain: it computes in float32.</summary>
    private const double Tolerance = 1e-4;

    /// <summary>Writes <c>rope_scaling</c> where frequencies are stretched.</summary>
    /// <exception cref="NotSupportedException">They are in a way that is not supported; the message names it.</exception>
    public static void Write(Utf8JsonWriter json, GgufFile file, string architecture, double theta, int headSize)
    {
        var linear = LinearFactor(file.Metadata, architecture);
        if (Factors(file, headSize) is not { } factors)
        {
            if (linear != 1)
            {
                WriteScaling(json, "linear", linear, null);
            }

            return;
        }

        if (linear != 1)
        {
            throw file.Metadata.Unsupported($"{architecture}.rope.scaling.factor", $"is there beside \"{GgufNames.RopeFactors}\", which is not supported");
        }

        var scaling = Llama3(factors, theta, headSize) ?? throw new NotSupportedException(
            $"\"{file.Path}\" stretches rotary frequencies by \"{GgufNames.RopeFactors}\" in another way than Llama 3.1, which is not supported.");
        WriteScaling(json, "llama3", scaling.Factor, scaling);
    }

    /// <summary>The parameters of Llama 3.1's stretching that give these factors, or null where none do.</summary>
    /// <param name="factors">What each frequency is divided by, highest frequency first.</param>
    /// <param name="theta">The base of the frequencies.</param>
    /// <param name="headSize">Width of a head, twice the number of factors.</param>
    internal static RopeScaling? Llama3(ReadOnlySpan<double> factors, double theta, int headSize)
    {
        const double UsualLow = 1;
        const double UsualHigh = 4;
        const int UsualLength = 8192;
        var most = 1.0;
        foreach (var factor in factors)
        {
            most = Math.Max(most, factor);
        }

        var usual = new RopeScaling(RopeScalingKind.Llama3, most, UsualLow, UsualHigh, UsualLength);
        return Gives(usual, factors, theta, headSize) ? usual
            : Fitted(factors, most, theta, headSize) is { } fitted && Gives(fitted, factors, theta, headSize) ? fitted
            : null;
    }

    /// <summary>
    /// Between the highest and the lowest frequencies, the share s that is kept is linear in the waves w that fit 2π: s =
    /// (L·w − low)/(high − low). Two such frequencies give the line; as only ratios count, low is 1.
    /// </summary>
    private static RopeScaling? Fitted(ReadOnlySpan<double> factors, double most, double theta, int headSize)
    {
        var blended = new List<(double Waves, double Share)>();
        for (var i = 0; i < factors.Length; i++)
        {
            var share = (1 / factors[i] - 1 / most) / (1 - 1 / most);
            if (share is > Tolerance and < 1 - Tolerance)
            {
                blended.Add((Waves(i, theta, headSize), share));
            }
        }

        if (blended.Count < 2)
        {
            return null;
        }

        var ((waves, share0), (otherWaves, otherShare)) = (blended[0], blended[^1]);
        var slope = (share0 - otherShare) / (waves - otherWaves);
        var high = 1 - 1 / (share0 - slope * waves);
        var length = Math.Round(slope * (high - 1));
        return high > 1 && length is >= 1 and <= ConfigReader.MaximumContext ? new RopeScaling(RopeScalingKind.Llama3, most, 1, high, (int)length) : null;
    }

    private static bool Gives(RopeScaling scaling, ReadOnlySpan<double> factors, double theta, int headSize)
    {
        for (var i = 0; i < factors.Length; i++)
        {
            var share = (scaling.OriginalContextLength * Waves(i, theta, headSize) - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
            var kept = Math.Clamp(share, 0, 1);
            if (!(Math.Abs(factors[i] * ((1 - kept) / scaling.Factor + kept) - 1) <= Tolerance))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Waves of a pair of values within one position's step.</summary>
    private static double Waves(int pair, double theta, int headSize) => DoubleMath.Exp(-2.0 * pair / headSize * DoubleMath.Log(theta)) / (2 * Math.PI);

    private static double LinearFactor(GgufMetadata metadata, string architecture)
    {
        const double Most = 1e6;
        var typeKey = $"{architecture}.rope.scaling.type";
        var type = metadata.Text(typeKey);
        if (type is not (null or "none" or "linear"))
        {
            throw metadata.Unsupported(typeKey, $"is \"{type}\"; linear stretching and Llama 3.1's are supported");
        }

        // llama.cpp takes 0 for no stretching.
        var factor = metadata.Real($"{architecture}.rope.scaling.factor", 0, Most, metadata.Real($"{architecture}.rope.scale_linear", 0, Most, 0));
        return type == "none" || factor == 0 ? 1 : factor;
    }

    private static double[]? Factors(GgufFile file, int headSize)
    {
        if (!file.Tensors.TryGetValue(GgufNames.RopeFactors, out var tensor))
        {
            return null;
        }

        if (tensor.Elements != headSize / 2 || !tensor.HoldsWeights)
        {
            throw new InvalidDataException($"\"{file.Path}\": the tensor \"{GgufNames.RopeFactors}\" is not a list of {headSize / 2} weights. Fetch or convert the model again.");
        }

        var factors = new float[tensor.Elements];
        file.ReadFloat32(tensor, factors);
        return Array.TrueForAll(factors, factor => factor == 1) ? null : Array.ConvertAll(factors, factor => (double)factor);
    }

    private static void WriteScaling(Utf8JsonWriter json, string type, double factor, RopeScaling? llama3)
    {
        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", type);
        json.WriteNumber("factor", factor);
        if (llama3 is not null)
        {
            json.WriteNumber("low_freq_factor", llama3.LowFrequencyFactor);
            json.WriteNumber("high_freq_factor", llama3.HighFrequencyFactor);
            json.WriteNumber("original_max_position_embeddings", llama3.OriginalContextLength);
        }

        json.WriteEndObject();
    }
}
