using System.Collections.Immutable;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What proves a verdict for which nothing had to be recomputed: messages that a device signed and that contradict each other. Whether it holds <see cref="SignatureRules"/> says.</summary>
/// <param name="Fault">What it proves.</param>
/// <param name="PublicKey">The Ed25519 public key of the device, 32 bytes.</param>
/// <param name="Other">That of the next hop's device, for a contradiction; else empty.</param>
/// <param name="Receipts">Two for two receipts or a contradiction, there the earlier hop's first; one for an opening that differs from it; none for an unsound row.</param>
/// <param name="Openings">Those of the device: all of the receipt's positions in order, or the one with the unsound row; else none.</param>
/// <param name="Row">The unsound row, [hidden]; else empty.</param>
public sealed record SignatureProof(
    SignatureFault Fault,
    ReadOnlyMemory<byte> PublicKey,
    ReadOnlyMemory<byte> Other,
    ImmutableArray<SignedReceipt> Receipts,
    ImmutableArray<SignedOpening> Openings,
    ReadOnlyMemory<float> Row)
{
    /// <summary>The device.</summary>
    public DeviceId Device => DeviceKey.IdOf(PublicKey.Span);

    /// <summary>The cluster in which it was signed.</summary>
    public ClusterId Cluster => Receipts.IsEmpty ? Openings[0].Opening.Cluster : Receipts[0].Receipt.Cluster;

    /// <summary>The session.</summary>
    public SessionId Session => Receipts.IsEmpty ? Openings[0].Opening.Session : Receipts[0].Receipt.Session;

    /// <summary>The first position that it is about.</summary>
    public int Position => Receipts.IsEmpty ? Openings[0].Opening.Position : Receipts[0].Receipt.Position;

    /// <summary>Whether bytes claim to be such a proof.</summary>
    /// <param name="bytes">A proof in its stored form.</param>
    public static bool IsOne(ReadOnlySpan<byte> bytes) => SignatureProofForm.IsOne(bytes);

    /// <summary>The proof in its stored form.</summary>
    /// <param name="bytes">What <see cref="ToBytes"/> gave.</param>
    /// <exception cref="InvalidDataException">The bytes are none: cut off, changed, or of another version.</exception>
    public static SignatureProof Read(ReadOnlySpan<byte> bytes) => SignatureProofForm.Read(bytes);

    /// <summary>The stored form. Its SHA-256 is the name of the proof.</summary>
    public byte[] ToBytes() => SignatureProofForm.Write(this);

    /// <inheritdoc/>
    public bool Equals(SignatureProof? other) => other is not null && Fault == other.Fault && PublicKey.Span.SequenceEqual(other.PublicKey.Span) && Other.Span.SequenceEqual(other.Other.Span)
        && Receipts.AsSpan().SequenceEqual(other.Receipts.AsSpan()) && Openings.AsSpan().SequenceEqual(other.Openings.AsSpan()) && Row.Span.SequenceEqual(other.Row.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Fault, Receipts.Length, Openings.Length, Row.Length);
}
