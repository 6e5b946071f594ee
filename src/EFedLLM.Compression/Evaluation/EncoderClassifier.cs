using EFedLLM.Transformer.Generation;

namespace EFedLLM.Compression.Evaluation;

/// <summary>An encoder with a classifier, to be measured.</summary>
/// <param name="model">The model; it stays the caller's.</param>
public sealed class EncoderClassifier(SequenceClassifier model) : ITextClassifier
{
    /// <inheritdoc/>
    public int Classes => model.Classes;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A text has more tokens than the model has positions.</exception>
    /// <exception cref="ArithmeticException">The model computed a value that is not finite.</exception>
    public float[][] Classify(IReadOnlyList<string> texts) => model.Classify(texts);
}
