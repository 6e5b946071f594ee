using System.Buffers.Binary;
using System.Collections.Immutable;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Trust;

/// <summary>What a device signs when it gives again what it gave or got: so that what it opens can be held against it as what it signed before.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route in which it is asked.</param>
/// <param name="HopIndex">The hop's place in it.</param>
/// <param name="Position">The first position.</param>
/// <param name="Taken">Whether it is what it got, not what it gave.</param>
/// <param name="Rows">The digests of the rows (<see cref="PositionDigest.OfRow(ReadOnlySpan{float})"/>), at least one.</param>
public sealed record Opening(ClusterId Cluster, SessionId Session, int Epoch, int HopIndex, int Position, bool Taken, ImmutableArray<Digest> Rows)
{
    /// <summary>One past the last position.</summary>
    public int End => Position + Rows.Length;

    /// <summary>What is signed: cluster and epoch, and then session, hop, position, number of rows, whether it got them, and the Merkle root over their digests; integers big-endian.</summary>
    public Statement ToStatement()
    {
        Span<byte> bytes = stackalloc byte[16 + 4 + 4 + 4 + 1 + Digest.Bytes];
        Session.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(bytes[16..], HopIndex);
        BinaryPrimitives.WriteInt32BigEndian(bytes[20..], Position);
        BinaryPrimitives.WriteInt32BigEndian(bytes[24..], Rows.Length);
        bytes[28] = Taken ? (byte)1 : (byte)0;
        Merkle.Root(Rows.AsSpan()).Write(bytes[29..]);
        return new Statement(StatementPurpose.Opening, Cluster, Epoch, bytes);
    }

    /// <inheritdoc/>
    public bool Equals(Opening? other) => other is not null && Cluster == other.Cluster && Session == other.Session && Epoch == other.Epoch && HopIndex == other.HopIndex
        && Position == other.Position && Taken == other.Taken && Rows.AsSpan().SequenceEqual(other.Rows.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex, Position, Taken);
}
