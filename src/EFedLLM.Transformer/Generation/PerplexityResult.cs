using System.Collections.Immutable;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Generation;

/// <summary>How well a model foresees a text.</summary>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="MeanNll">Mean negative log-likelihood of a token, in nats.</param>
/// <param name="ChunkMeanNll">The same of each chunk.</param>
public sealed record PerplexityResult(int Tokens, double MeanNll, ImmutableArray<double> ChunkMeanNll)
{
    /// <summary>exp of <see cref="MeanNll"/>.</summary>
    public double Perplexity => DoubleMath.Exp(MeanNll);
}
