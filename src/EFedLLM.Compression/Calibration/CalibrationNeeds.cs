using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>How much text a calibration takes.</summary>
public static class CalibrationNeeds
{
    /// <summary>Positions of a sequence at most: enough that most of them see a context, few enough that attention stays cheap.</summary>
    public const int LongestSequence = 256;

    private const int MostTokens = 32_768;

    /// <summary>Multiplications that one pass over the text's tokens may take, unless the widths need more; other texts mixed in, half as many tokens, come on top.</summary>
    private const double PassProducts = 5e12;

    /// <summary>The share of <see cref="Least"/> that is read of the text at least: with the other texts mixed in it is 1.2 times as many tokens as are needed.</summary>
    private const double OwnShare = 0.8;

    /// <summary>
    /// Tokens that are needed at least: as many as the widest matrix has inputs. Fewer leave directions of its inputs
    /// that no token has shown, whatever the text, and errors there would be thought free.
    /// </summary>
    public static int Least(ModelShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return Math.Max(shape.HiddenSize, Math.Max(shape.IntermediateSize, shape.Heads * shape.HeadSize));
    }

    /// <summary>Tokens that are used where the text has them: as many as a pass can afford, but as many as are needed.</summary>
    public static int Wanted(ModelShape shape)
    {
        var affordable = PassProducts / ManifestLayout.Parameters(shape);
        return (int)Math.Max(Math.Min(affordable, MostTokens), OwnShare * Least(shape));
    }

    /// <summary>Positions of a sequence.</summary>
    public static int SequenceLength(ModelShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return Math.Min(LongestSequence, shape.ContextLength);
    }
}
