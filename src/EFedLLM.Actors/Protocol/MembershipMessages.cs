namespace EFedLLM.Actors.Protocol;

/// <summary>One decision of the cluster's authority about a device, as it signed it; in distributed data under <see cref="FactKeys.Revocations"/>. Whoever reads it checks the signature.</summary>
/// <param name="Content">What was signed, 1 to <see cref="ProtocolLimits.RevocationBytes"/> bytes.</param>
/// <param name="Signature">The authority's signature, <see cref="ProtocolLimits.AuthoritySignatureBytes"/> bytes.</param>
public sealed record SignedRevocation(ReadOnlyMemory<byte> Content, ReadOnlyMemory<byte> Signature) : IEvent
{
    /// <inheritdoc/>
    public bool Equals(SignedRevocation? other)
        => other is not null && Content.Span.SequenceEqual(other.Content.Span) && Signature.Span.SequenceEqual(other.Signature.Span);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Signature.Span);
        return hash.ToHashCode();
    }
}
