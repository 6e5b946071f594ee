using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Evaluation;

/// <summary>How well a model foresees a text.</summary>
/// <param name="TextSha256">Hash of the text's UTF-8 bytes, lower-case hexadecimal.</param>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="MeanNll">Mean negative log-likelihood of a token, in nats.</param>
/// <param name="Perplexity">exp of <paramref name="MeanNll"/>.</param>
public sealed record EvalOutcome(string TextSha256, int Tokens, double MeanNll, double Perplexity)
{
    /// <summary>What a manifest says about a compressed model that was measured like this.</summary>
    /// <param name="reference">The uncompressed model's outcome on the same tokens.</param>
    /// <exception cref="ArgumentException">It is of another text or of another number of tokens.</exception>
    public QualityNote AgainstReference(EvalOutcome reference)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return reference.TextSha256 == TextSha256 && reference.Tokens == Tokens
            ? new QualityNote(TextSha256, Tokens, Perplexity, reference.Perplexity)
            : throw new ArgumentException("The reference was measured on other tokens: measure both alike.", nameof(reference));
    }
}
