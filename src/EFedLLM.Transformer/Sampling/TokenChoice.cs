using System.Collections.Immutable;

namespace EFedLLM.Transformer.Sampling;

/// <summary>A token with the natural logarithm of its probability under the model (temperature 1).</summary>
/// <param name="Id">The token id.</param>
/// <param name="Logprob">Natural logarithm of its probability.</param>
public readonly record struct TokenLogprob(int Id, float Logprob);

/// <summary>The outcome of one draw.</summary>
/// <param name="Id">The drawn token id.</param>
/// <param name="Logprob">Natural logarithm of its probability under the model (temperature 1).</param>
/// <param name="Top">The most likely tokens, best first; as many as <see cref="SamplingSettings.TopLogprobs"/> asked for.</param>
public readonly record struct TokenChoice(int Id, float Logprob, ImmutableArray<TokenLogprob> Top);
