namespace EFedLLM.Compression.Evaluation;

/// <summary>A model that sorts texts into classes. One text at a time.</summary>
public interface ITextClassifier
{
    /// <summary>Number of classes.</summary>
    int Labels { get; }

    /// <summary>Classifies a text.</summary>
    /// <param name="text">The text, as it is.</param>
    /// <param name="logits">Receives a logit for each class, [<see cref="Labels"/>].</param>
    void Classify(string text, Span<float> logits);
}
