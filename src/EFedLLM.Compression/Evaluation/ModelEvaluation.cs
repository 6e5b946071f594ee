namespace EFedLLM.Compression.Evaluation;

/// <summary>Everything that was measured of one model.</summary>
/// <param name="Model">What the report calls it.</param>
/// <param name="BitsPerWeight">Bits per weight as read per token, everything in (<see cref="Transformer.Checkpoints.ModelManifest.ReadBitsPerWeight"/>).</param>
/// <param name="BytesPerToken">Bytes of weights that computing one token reads.</param>
public sealed record ModelEvaluation(string Model, double BitsPerWeight, long BytesPerToken)
{
    /// <summary>Whether the others are compared with it.</summary>
    public bool IsReference { get; init; }

    /// <summary>Scores on a text, or null when there was none.</summary>
    public ModelScores? Scores { get; init; }

    /// <summary>Tokens decoded per second, or null when that was not measured.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Relative error of the residual stream after the embedding and after each layer (<see cref="Evaluation.LayerErrors"/>), or null when it was not measured.</summary>
    public IReadOnlyList<double>? LayerErrors { get; init; }

    /// <summary>Scores on labelled texts, or null when there were none.</summary>
    public ClassificationScores? Classification { get; init; }
}
