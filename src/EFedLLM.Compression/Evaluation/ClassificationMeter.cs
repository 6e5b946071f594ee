namespace EFedLLM.Compression.Evaluation;

/// <summary>Measures a classifier on labelled texts.</summary>
public static class ClassificationMeter
{
    // As many as a batch has: more is no faster.
    private const int Batch = 32;

    /// <summary>Classifies every text.</summary>
    /// <param name="classifier">The model.</param>
    /// <param name="texts">At least one text.</param>
    /// <param name="progress">Is told how many texts are classified, or null.</param>
    /// <param name="cancellation">Ends it between two batches.</param>
    /// <exception cref="ArgumentException">There are no texts, or one has a label that the model does not know.</exception>
    /// <exception cref="ArithmeticException">The model's logits are not finite.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static ClassificationScores Measure(
        ITextClassifier classifier, IReadOnlyList<LabelledText> texts, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Count == 0)
        {
            throw new ArgumentException("There are no texts to classify.", nameof(texts));
        }

        if (texts.FirstOrDefault(text => (uint)text.Label >= (uint)classifier.Classes) is { Text: not null } odd)
        {
            throw new ArgumentException($"The text \"{odd.Text}\" has the label {odd.Label}, but the model knows {classifier.Classes} classes, from 0.", nameof(texts));
        }

        var (correct, cost, done) = (0, 0.0, 0);
        foreach (var batch in texts.Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var (logits, text) in classifier.Classify([.. batch.Select(text => text.Text)]).Zip(batch))
            {
                correct += LogitDivergence.Top(logits) == text.Label ? 1 : 0;
                cost += CrossEntropy(logits, text.Label);
            }

            done += batch.Length;
            progress?.Report(done);
        }

        return new ClassificationScores(texts.Count, correct, cost / texts.Count);
    }

    /// <summary>-ln softmax(logits)[label].</summary>
    /// <exception cref="ArithmeticException">A logit is not finite.</exception>
    internal static double CrossEntropy(ReadOnlySpan<float> logits, int label)
    {
        double most = logits[LogitDivergence.Top(logits)];
        var sum = 0.0;
        foreach (var logit in logits)
        {
            sum += Math.Exp(logit - most);
        }

        var cost = Math.Log(sum) + (most - logits[label]);
        return double.IsFinite(cost) ? cost : throw new ArithmeticException("The logits of a text are not finite.");
    }
}
