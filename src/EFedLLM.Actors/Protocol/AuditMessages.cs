using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>
/// Part of <see cref="OpenSession"/>: the receiver does not serve this session but recomputes one hop of another. The route is that of
/// the other session with the receiver in the place of the hop that is checked; of the other hops only the ranges count. What comes in
/// comes from the pipeline itself, which gets the credit for it, and nothing goes on to a next hop: the receiver answers with
/// <see cref="UnitRecomputed"/>. What its steps say of drawing does not count, and <see cref="FeedHidden.HopMicroseconds"/> may be empty.
/// The session has an id of its own, and is in its first epoch.
/// </summary>
/// <param name="Key">A secret of whoever checks: without it the right root says nothing of the answer that is waited for.</param>
/// <param name="DrawFrom">At the head: the first position after which a token was drawn; nothing was drawn after those before it.</param>
/// <param name="Refed">Behind that position, in their order: where nothing was drawn, because the route was repaired and what was known already was fed again.</param>
public sealed record AuditOrder(Digest Key, int DrawFrom, ImmutableArray<Refed> Refed = default)
{
    /// <inheritdoc/>
    public bool Equals(AuditOrder? other) => other is not null && Key == other.Key && DrawFrom == other.DrawFrom && Refed.AsSpan().SequenceEqual(other.Refed.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Key, DrawFrom);

    /// <summary>Whether a token was drawn after a position.</summary>
    public bool IsDrawn(int position)
    {
        foreach (var (first, end) in Refed.AsSpan())
        {
            if (position >= first && position < end)
            {
                return false;
            }
        }

        return position >= DrawFrom;
    }
}

/// <summary>Positions of a session whose tokens were known when they were computed: nothing was drawn after them.</summary>
/// <param name="First">The first.</param>
/// <param name="End">One past the last.</param>
public readonly record struct Refed(int First, int End);

/// <summary>
/// Hop to pipeline, where <see cref="OpenSession.Signed"/> asks for it: what it signs about a unit. What the pipeline knows itself does not
/// travel: it makes the receipt again of that (<see cref="ReceiptOf"/>), and whoever signed another one has not signed it.
/// </summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route in which it was computed.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="InRoot">The root of what came in (<see cref="Receipt.InRoot"/>).</param>
/// <param name="OutRoot">The root of what went out (<see cref="Receipt.OutRoot"/>).</param>
/// <param name="KvRoot">The root of what is kept (<see cref="Receipt.KvRoot"/>).</param>
/// <param name="Signature">The device's signature of <see cref="Receipt.ToStatement"/>.</param>
public sealed record UnitSigned(
    SessionId Session, int Epoch, int HopIndex, int Position, int Rows, Digest InRoot, Digest OutRoot, Digest KvRoot, ImmutableArray<byte> Signature) : ISessionMessage, IEvent
{
    /// <summary>The message that carries a receipt.</summary>
    /// <param name="signed">The receipt.</param>
    public static UnitSigned Of(SignedReceipt signed)
    {
        ArgumentNullException.ThrowIfNull(signed);
        var receipt = signed.Receipt;
        return new UnitSigned(receipt.Session, receipt.Epoch, receipt.HopIndex, receipt.Position, receipt.Rows, receipt.InRoot, receipt.OutRoot, receipt.KvRoot, signed.Signature);
    }

    /// <summary>The receipt, made of what the message says and of what whoever gets it knows. Whether the signature stands for it is not looked at.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="device">The device that sent it.</param>
    /// <param name="model">The session's model.</param>
    /// <param name="range">The units that the hop computes.</param>
    /// <param name="previous">The hash of the hop's receipt before it in this epoch; that of the session's terms for the first.</param>
    public SignedReceipt ReceiptOf(ClusterId cluster, DeviceId device, ModelId model, LayerRange range, Digest previous)
        => new(new Receipt(cluster, Session, Epoch, HopIndex, device, model, range, Position, Rows, InRoot, OutRoot, KvRoot, previous), Signature);

    /// <inheritdoc/>
    public bool Equals(UnitSigned? other) => other is not null && Session == other.Session && Epoch == other.Epoch && HopIndex == other.HopIndex
        && Position == other.Position && Rows == other.Rows && InRoot == other.InRoot && OutRoot == other.OutRoot && KvRoot == other.KvRoot
        && Signature.AsSpan().SequenceEqual(other.Signature.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex, Position, OutRoot);
}

/// <summary>
/// Pipeline to a hop: sign, or where work is checked answer about, what was fed until now and is in no unit yet, though the unit is not
/// full. Answered by <see cref="ReceiptsSealed"/> behind the last <see cref="UnitSigned"/>, when that is computed.
/// </summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Length">Positions that count: drafts behind them are forgotten. 0 leaves drafts what they are, and unsigned.</param>
public sealed record SealReceipts(SessionId Session, int Epoch, int Length = 0) : ISessionMessage, ICommand;

/// <summary>Hop to pipeline: everything up to here is signed.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Length">Positions that it computed.</param>
public sealed record ReceiptsSealed(SessionId Session, int Epoch, int HopIndex, int Length) : ISessionMessage, IEvent;

/// <summary>Pipeline to a hop: give me what you gave, or what you got, for these positions. Answered by <see cref="KeptRows"/>.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions; not more than fit one <see cref="FeedHidden"/>.</param>
/// <param name="Taken">Whether it is asked for what it got: where the hop before does not have any more what it gave.</param>
public sealed record FetchKept(SessionId Session, int Epoch, int Position, int Rows, bool Taken = false) : ISessionMessage, ICommand;

/// <summary>Hop to pipeline: what it gave, or got.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions; 0 when it does not have them any more.</param>
/// <param name="Hidden">The residual stream, [Rows, hidden].</param>
/// <param name="Taken">Whether it is what it got.</param>
/// <param name="Signature">The device's signature of <see cref="OpeningOf"/>; empty where it gives nothing, or signs nothing in this session.</param>
public sealed record KeptRows(SessionId Session, int Epoch, int HopIndex, int Position, int Rows, ReadOnlyMemory<float> Hidden, bool Taken = false, ImmutableArray<byte> Signature = default)
    : ISessionMessage, IEvent
{
    /// <summary>What is signed of it.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <exception cref="ArgumentException">It has no rows, or not as many as it says.</exception>
    public Opening OpeningOf(ClusterId cluster)
    {
        if (Rows < 1 || Hidden.IsEmpty || Hidden.Length % Rows != 0)
        {
            throw new ArgumentException($"{Hidden.Length} activations are not {Rows} rows.", nameof(cluster));
        }

        var (width, rows) = (Hidden.Length / Rows, new Digest[Rows]);
        for (var row = 0; row < Rows; row++)
        {
            rows[row] = PositionDigest.OfRow(Hidden.Span.Slice(row * width, width));
        }

        return new Opening(cluster, Session, Epoch, HopIndex, Position, Taken, ImmutableCollectionsMarshal.AsImmutableArray(rows));
    }

    /// <inheritdoc/>
    public bool Equals(KeptRows? other) => other is not null && Session == other.Session && Epoch == other.Epoch && HopIndex == other.HopIndex
        && Position == other.Position && Rows == other.Rows && Hidden.Span.SequenceEqual(other.Hidden.Span) && Taken == other.Taken
        && Signature.AsSpan().SequenceEqual(other.Signature.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex, Position, Rows);
}

/// <summary>
/// Pipeline to a hop: open what you keep of these positions, so that nobody has to compute them again. Answered by <see cref="CacheOpened"/>
/// with as much of it as one message carries.
/// </summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">The first position.</param>
/// <param name="Offset">From which of its values on: 0, but where a position does not fit one message.</param>
/// <param name="Rows">Number of positions that are wanted.</param>
public sealed record FetchCache(SessionId Session, int Epoch, int Position, int Offset, int Rows) : ISessionMessage, ICommand;

/// <summary>Hop to pipeline: keys and values as they lie in its cache.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Position">The first position.</param>
/// <param name="Offset">Which of its values is the first.</param>
/// <param name="Rows">Number of positions; 0 when it opens nothing.</param>
/// <param name="Width">Values of a position.</param>
/// <param name="Values">[Rows, layers of the hop, 2 (key, value), key/value heads, head size]; of a position that does not fit one message a part, from <paramref name="Offset"/> on.</param>
public sealed record CacheOpened(SessionId Session, int Epoch, int HopIndex, int Position, int Offset, int Rows, int Width, ReadOnlyMemory<Half> Values) : ISessionMessage, IEvent
{
    /// <inheritdoc/>
    public bool Equals(CacheOpened? other) => other is not null && Session == other.Session && Epoch == other.Epoch && HopIndex == other.HopIndex
        && Position == other.Position && Offset == other.Offset && Rows == other.Rows && Width == other.Width && Values.Span.SequenceEqual(other.Values.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex, Position, Offset, Rows);
}

/// <summary>
/// Pipeline to verifier, in a session with an <see cref="AuditOrder"/>: what the hop that is checked keeps of these positions, in the place of
/// what came in there. They begin where the verifier's cache ends. Each is answered by <see cref="HiddenReceived"/>, at most
/// <see cref="ProtocolLimits.HiddenCredit"/> of them are under way.
/// </summary>
/// <param name="Session">The session of the check.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="Position">The first position.</param>
/// <param name="Offset">Which of its values is the first.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="Values">As in <see cref="CacheOpened"/>; nothing where the range has no layers.</param>
public sealed record FeedCache(SessionId Session, int Epoch, int Position, int Offset, int Rows, ReadOnlyMemory<Half> Values) : ISessionMessage, ICommand
{
    /// <inheritdoc/>
    public bool Equals(FeedCache? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Position == other.Position
        && Offset == other.Offset && Rows == other.Rows && Values.Span.SequenceEqual(other.Values.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, Position, Offset, Rows);
}

/// <summary>
/// Verifier to pipeline, for each unit of a session with an <see cref="AuditOrder"/>: what is right. Units are cut as receipts
/// cut them, at every multiple of 16 positions, however the steps came; <see cref="SealReceipts"/> asks for what is not full yet.
/// </summary>
/// <param name="Session">The session of the check.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="HopIndex">The hop that is checked.</param>
/// <param name="Position">The first position of the unit.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="Answer">SHA-256 of <see cref="AuditOrder.Key"/> and, behind it, the Merkle roots of the unit's output and of what it adds to the cache (<see cref="PositionDigest.OfAnswer"/>).</param>
/// <param name="GivenRoot">Merkle root over the digests of what came in for it, one a position: so that it cannot be said later that it was something else.</param>
/// <param name="Microseconds">Compute time spent on it: what checking costs, and no part of what is right.</param>
/// <param name="Signature">The verifier's signature of <see cref="ToStatement"/>; empty where it has no key, as the gateway's own judge.</param>
public sealed record UnitRecomputed(
    SessionId Session, int Epoch, int HopIndex, int Position, int Rows, Digest Answer, Digest GivenRoot, int Microseconds, ImmutableArray<byte> Signature = default) : ISessionMessage, IEvent
{
    /// <summary>What is signed of it: cluster and epoch, and then session, hop, position, number of rows, what came in and what should have come out; integers big-endian.</summary>
    /// <param name="cluster">The cluster.</param>
    public Statement ToStatement(ClusterId cluster)
    {
        Span<byte> bytes = stackalloc byte[16 + 4 + 4 + 4 + (2 * Digest.Bytes)];
        Session.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(bytes[16..], HopIndex);
        BinaryPrimitives.WriteInt32BigEndian(bytes[20..], Position);
        BinaryPrimitives.WriteInt32BigEndian(bytes[24..], Rows);
        GivenRoot.Write(bytes[28..]);
        Answer.Write(bytes[(28 + Digest.Bytes)..]);
        return new Statement(StatementPurpose.Answer, cluster, Epoch, bytes);
    }

    /// <inheritdoc/>
    public bool Equals(UnitRecomputed? other) => other is not null && Session == other.Session && Epoch == other.Epoch && HopIndex == other.HopIndex
        && Position == other.Position && Rows == other.Rows && Answer == other.Answer && GivenRoot == other.GivenRoot && Microseconds == other.Microseconds
        && Signature.AsSpan().SequenceEqual(other.Signature.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex, Position, Answer);
}
