namespace EFedLLM.Transformer.Sampling;

/// <summary>Draws tokens from logits. Owns scratch memory: one per computing thread of control.</summary>
public sealed class Sampler
{
    /// <summary>Draws the token at <paramref name="position"/>.</summary>
    /// <param name="logits">[vocabulary].</param>
    /// <param name="settings">How to draw.</param>
    /// <param name="position">The position the drawn token will take in its session; together with the seed it fixes the random number.</param>
    /// <exception cref="ArithmeticException">A logit is NaN or infinite.</exception>
    public TokenChoice Draw(ReadOnlySpan<float> logits, SamplingSettings settings, int position) => throw new NotSupportedException();
}
