namespace EFedLLM.Compression.Evaluation;

/// <summary>How well a model classifies.</summary>
/// <param name="Texts">Texts classified.</param>
/// <param name="Correct">Those whose most likely class is the right one.</param>
/// <param name="MeanCrossEntropy">Mean of -ln p(right class), in nats.</param>
public sealed record ClassificationScores(int Texts, int Correct, double MeanCrossEntropy)
{
    /// <summary>Share of the texts classified correctly, 0 to 1.</summary>
    public double Accuracy => (double)Correct / Texts;
}
