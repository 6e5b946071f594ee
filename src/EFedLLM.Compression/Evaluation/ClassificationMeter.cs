namespace EFedLLM.Compression.Evaluation;

/// <summary>Measures a classifier on labelled texts.</summary>
public static class ClassificationMeter
{
    /// <summary>Classifies every text.</summary>
    /// <param name="classifier">The model.</param>
    /// <param name="texts">At least one text.</param>
    /// <param name="progress">Is told how many texts are classified, or null.</param>
    /// <param name="cancellation">Ends it between two texts.</param>
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

        if (texts.FirstOrDefault(text => (uint)text.Label >= (uint)classifier.Labels) is { Text: not null } odd)
        {
            throw new ArgumentException($"The text \"{odd.Text}\" has the label {odd.Label}, but the model knows {classifier.Labels} classes, from 0.", nameof(texts));
        }

        var logits = new float[classifier.Labels];
        var (correct, cost) = (0, 0.0);
        for (var i = 0; i < texts.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            classifier.Classify(texts[i].Text, logits);
            correct += LogitDivergence.Top(logits) == texts[i].Label ? 1 : 0;
            cost += CrossEntropy(logits, texts[i].Label);
            progress?.Report(i + 1);
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
