using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Protocol;

/// <summary>Two draws are equal when their tokens are, and not only when they share an array.</summary>
internal sealed class TokenChoiceComparer : IEqualityComparer<TokenChoice>
{
    /// <summary>The one there is.</summary>
    public static TokenChoiceComparer Instance { get; } = new();

    /// <inheritdoc/>
    public bool Equals(TokenChoice x, TokenChoice y) => x.Id == y.Id && x.Logprob.Equals(y.Logprob) && x.Top.AsSpan().SequenceEqual(y.Top.AsSpan());

    /// <inheritdoc/>
    public int GetHashCode(TokenChoice choice) => HashCode.Combine(choice.Id, choice.Logprob);
}
