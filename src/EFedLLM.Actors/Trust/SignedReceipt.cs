using System.Collections.Immutable;

namespace EFedLLM.Actors.Trust;

/// <summary>A receipt and the signature that stands for it.</summary>
/// <param name="Receipt">The receipt.</param>
/// <param name="Signature">The device's signature of <see cref="Trust.Receipt.ToStatement"/>.</param>
public sealed record SignedReceipt(Receipt Receipt, ImmutableArray<byte> Signature)
{
    /// <inheritdoc/>
    public bool Equals(SignedReceipt? other) => other is not null && Receipt == other.Receipt && Signature.AsSpan().SequenceEqual(other.Signature.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Receipt.GetHashCode();
}
