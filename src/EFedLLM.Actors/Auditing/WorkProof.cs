using System.Collections.Immutable;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// What proves that a device signed a wrong result: everything that came into its hop of a session up to the disputed unit, with the
/// device's own signatures over it. Whoever has the model's layers computes from it what should have come out. What the device was given
/// is what it signed that it was given (<see cref="ProofRules"/>), so that nobody can make one against a device that computes rightly.
/// </summary>
/// <param name="PublicKey">The device's Ed25519 public key, 32 bytes.</param>
/// <param name="Terms">What was asked of every hop of the session: how the head draws, above all. The device signed their hash.</param>
/// <param name="Receipts">Its receipts of the hop, from the first position of the session on, at least one; the last one is disputed.</param>
/// <param name="Tokens">What came in at the first hop, one token id a position; empty for any other hop.</param>
/// <param name="Hidden">What came in at any other hop, [positions, hidden] float32; empty for the first one.</param>
/// <param name="Drawn">Of the head, for each position of the disputed unit: the digest of what was drawn after it, all zero where nothing was. Empty for a hop without the head.</param>
/// <param name="Right">What was found to be right: SHA-256 of 32 zero bytes and, behind them, the Merkle roots of the unit's right output and of what is kept of it (<see cref="PositionDigest.OfAnswer"/>).</param>
public sealed record WorkProof(
    ReadOnlyMemory<byte> PublicKey,
    SessionTerms Terms,
    ImmutableArray<SignedReceipt> Receipts,
    ImmutableArray<int> Tokens,
    ReadOnlyMemory<float> Hidden,
    ImmutableArray<Digest> Drawn,
    Digest Right)
{
    /// <summary>Most bytes of a proof's stored form.</summary>
    public const int MostBytes = 256 << 20;

    /// <summary>The disputed receipt.</summary>
    public Receipt Disputed => Receipts[^1].Receipt;

    /// <summary>Positions from the session's first one to the end of the disputed unit.</summary>
    public int Positions => Disputed.Position + Disputed.Rows;

    /// <summary>Of the head: the first row of the disputed unit after which the device signed that it drew; the number of rows where it drew after none.</summary>
    public int DrawnFrom
    {
        get
        {
            var row = 0;
            while (row < Drawn.Length && Drawn[row] == default)
            {
                row++;
            }

            return row;
        }
    }

    /// <summary>What the disputed receipt says came out, in the form of <see cref="Right"/>.</summary>
    public Digest Signed => PositionDigest.OfAnswer(default, Disputed.OutRoot, Disputed.KvRoot);

    /// <summary>The proof in its stored form.</summary>
    /// <param name="bytes">What <see cref="ToBytes"/> gave.</param>
    /// <exception cref="InvalidDataException">The bytes are none: cut off, changed, or of another version.</exception>
    public static WorkProof Read(ReadOnlySpan<byte> bytes) => ProofForm.Read(bytes);

    /// <summary>The stored form. Its SHA-256 is the name of the proof.</summary>
    public byte[] ToBytes() => ProofForm.Write(this);

    /// <inheritdoc/>
    public bool Equals(WorkProof? other) => other is not null && PublicKey.Span.SequenceEqual(other.PublicKey.Span) && Terms == other.Terms && Receipts.AsSpan().SequenceEqual(other.Receipts.AsSpan())
        && Tokens.AsSpan().SequenceEqual(other.Tokens.AsSpan()) && Hidden.Span.SequenceEqual(other.Hidden.Span)
        && Drawn.AsSpan().SequenceEqual(other.Drawn.AsSpan()) && Right == other.Right;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Receipts.Length, Tokens.Length, Hidden.Length, Right);
}
