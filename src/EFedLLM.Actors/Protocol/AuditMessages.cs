using System.Collections.Immutable;
using EFedLLM.Actors.Trust;

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
public sealed record AuditOrder(Digest Key, int DrawFrom);

/// <summary>Hop to pipeline, where <see cref="OpenSession.Signed"/> asks for it: what it signs about a unit.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route in which it was computed.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Receipt">The receipt.</param>
/// <param name="Signature">The device's signature of <see cref="Trust.Receipt.ToBytes"/>.</param>
public sealed record UnitSigned(SessionId Session, int Epoch, int HopIndex, Receipt Receipt, ImmutableArray<byte> Signature) : ISessionMessage, IEvent
{
    /// <inheritdoc/>
    public bool Equals(UnitSigned? other) => other is not null && Session == other.Session && Epoch == other.Epoch && HopIndex == other.HopIndex
        && Receipt == other.Receipt && Signature.AsSpan().SequenceEqual(other.Signature.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex, Receipt);
}

/// <summary>
/// Pipeline to a hop: sign, or where work is checked answer about, what was fed until now and is in no unit yet, though the unit is not
/// full. Answered by <see cref="ReceiptsSealed"/> behind the last <see cref="UnitSigned"/>, when that is computed.
/// </summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
public sealed record SealReceipts(SessionId Session, int Epoch) : ISessionMessage, ICommand;

/// <summary>Hop to pipeline: everything up to here is signed.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Length">Positions that it computed.</param>
public sealed record ReceiptsSealed(SessionId Session, int Epoch, int HopIndex, int Length) : ISessionMessage, IEvent;

/// <summary>Pipeline to a hop: give me what you gave for these positions. Answered by <see cref="KeptRows"/>.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions; not more than fit one <see cref="FeedHidden"/>.</param>
public sealed record FetchKept(SessionId Session, int Epoch, int Position, int Rows) : ISessionMessage, ICommand;

/// <summary>Hop to pipeline: what it gave.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions; 0 when it does not have them any more.</param>
/// <param name="Hidden">The residual stream, [Rows, hidden].</param>
public sealed record KeptRows(SessionId Session, int Epoch, int HopIndex, int Position, int Rows, ReadOnlyMemory<float> Hidden) : ISessionMessage, IEvent
{
    /// <inheritdoc/>
    public bool Equals(KeptRows? other) => other is not null && Session == other.Session && Epoch == other.Epoch && HopIndex == other.HopIndex
        && Position == other.Position && Rows == other.Rows && Hidden.Span.SequenceEqual(other.Hidden.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex, Position, Rows);
}

/// <summary>
/// Verifier to pipeline, for each unit of a session with an <see cref="AuditOrder"/>: what the right output is. Units are cut as receipts
/// cut them, at every multiple of 16 positions, however the steps came; <see cref="SealReceipts"/> asks for what is not full yet.
/// </summary>
/// <param name="Session">The session of the check.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="HopIndex">The hop that is checked.</param>
/// <param name="Position">The first position of the unit.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="Answer">SHA-256 of <see cref="AuditOrder.Key"/> and, behind it, the Merkle root of the unit's output.</param>
public sealed record UnitRecomputed(SessionId Session, int Epoch, int HopIndex, int Position, int Rows, Digest Answer) : ISessionMessage, IEvent;
