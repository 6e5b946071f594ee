namespace EFedLLM.Compression.Evaluation;

/// <summary>A model that sorts texts into classes. One call at a time.</summary>
public interface ITextClassifier
{
    /// <summary>Number of classes.</summary>
    int Classes { get; }

    /// <summary>Classifies some texts.</summary>
    /// <param name="texts">The texts, at least one.</param>
    /// <returns>Of each text a logit for each class, [texts][<see cref="Classes"/>].</returns>
    float[][] Classify(IReadOnlyList<string> texts);
}
