namespace EFedLLM.Compression.Evaluation;

/// <summary>How well a model foresees a text, and how far its distributions are from those of the reference, position by position.</summary>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="MeanNll">Mean negative log-likelihood of a token, in nats.</param>
/// <param name="Perplexity">exp of <paramref name="MeanNll"/>.</param>
/// <param name="MeanKl">Mean over the positions of <see cref="LogitDivergence.Kl"/> from the reference, in nats.</param>
/// <param name="P99Kl">The divergence that 99 % of the positions do not exceed.</param>
/// <param name="Top1Agreement">Share of the positions, 0 to 1, at which both find the same token most likely.</param>
public sealed record ModelScores(int Tokens, double MeanNll, double Perplexity, double MeanKl, double P99Kl, double Top1Agreement)
{
    /// <summary>The change of the perplexity against that of the reference: 0.01 is one per cent worse.</summary>
    public double PerplexityChange(ModelScores reference)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return Perplexity / reference.Perplexity - 1;
    }
}
