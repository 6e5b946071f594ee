using System.Buffers.Binary;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Trust;

/// <summary>What a device signs about one unit of a session on one hop: what came in, what it made of it, and what it keeps of it.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop's place in the route.</param>
/// <param name="Device">The device that computed.</param>
/// <param name="Model">The model.</param>
/// <param name="Range">The units of the model that it computed.</param>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="InRoot">Merkle root over the digests of what came in, one a position.</param>
/// <param name="OutRoot">Merkle root over the digests of what went out, one a position.</param>
/// <param name="KvRoot">Merkle root over the digests of what each position added to the cache, of all the range's layers, as later positions attend to it; of nothing for each where the range has no layers.</param>
/// <param name="Previous">The hash of the receipt before it in this session on this hop; that of the session's terms (<see cref="SessionTerms.Hash"/>) for the first of an epoch.</param>
public sealed record Receipt(
    ClusterId Cluster, SessionId Session, int Epoch, int HopIndex, DeviceId Device, ModelId Model, LayerRange Range, int Position, int Rows, Digest InRoot, Digest OutRoot, Digest KvRoot, Digest Previous)
{
    /// <summary>The hash of <see cref="ToStatement"/>: the next receipt names it.</summary>
    public Digest Hash => Digest.Of(ToStatement().Bytes);

    /// <summary>What is signed: cluster and epoch, and then every other member, integers big-endian, always in the same length.</summary>
    public Statement ToStatement()
    {
        Span<byte> bytes = stackalloc byte[16 + 4 + 16 + 32 + 4 + 4 + 4 + 4 + (4 * Digest.Bytes)];
        var rest = bytes;
        Session.Value.TryWriteBytes(rest, bigEndian: true, out _);
        rest = rest[16..];
        Integer(ref rest, HopIndex);
        Convert.FromHexString(Device.Value).CopyTo(rest);
        rest = rest[16..];
        Convert.FromHexString(Model.Value).CopyTo(rest);
        rest = rest[32..];
        Integer(ref rest, Range.First);
        Integer(ref rest, Range.End);
        Integer(ref rest, Position);
        Integer(ref rest, Rows);
        InRoot.Write(rest);
        OutRoot.Write(rest[Digest.Bytes..]);
        KvRoot.Write(rest[(2 * Digest.Bytes)..]);
        Previous.Write(rest[(3 * Digest.Bytes)..]);
        return new Statement(StatementPurpose.Receipt, Cluster, Epoch, bytes);
    }

    private static void Integer(ref Span<byte> rest, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(rest, value);
        rest = rest[sizeof(int)..];
    }
}
