using System.Collections.Immutable;

namespace EFedLLM.Actors.Trust;

/// <summary>An opening and the signature that stands for it.</summary>
/// <param name="Opening">The opening.</param>
/// <param name="Signature">The device's signature of <see cref="Trust.Opening.ToStatement"/>.</param>
public sealed record SignedOpening(Opening Opening, ImmutableArray<byte> Signature)
{
    /// <inheritdoc/>
    public bool Equals(SignedOpening? other) => other is not null && Opening == other.Opening && Signature.AsSpan().SequenceEqual(other.Signature.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Opening.GetHashCode();
}
