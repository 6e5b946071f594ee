using System.Collections.Immutable;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Protocol;

/// <summary>Hop to pipeline: it has the session. In the first epoch it is ready for a step, unless it was given an <see cref="OpenSession.Prefix"/>; else it waits for <see cref="ResumeSession"/>.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="KvLength">Positions it has: computed, or found among the pages that were kept.</param>
/// <param name="KeptFrom">The first position of which it still has the output; the same as <paramref name="KvLength"/> when it has none.</param>
public sealed record SessionOpened(SessionId Session, int Epoch, int HopIndex, int KvLength = 0, int KeptFrom = 0) : ISessionMessage, IEvent;

/// <summary>Hop to pipeline: it is about to give its range up. It goes on with the session until that is closed or its time is over; another hop should take its place.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the hop's route.</param>
/// <param name="HopIndex">The hop.</param>
public sealed record SessionMoving(SessionId Session, int Epoch, int HopIndex) : ISessionMessage, IEvent;

/// <summary>Why a hop refuses a session.</summary>
public enum RefusalReason
{
    /// <summary>The hop has no KV memory or session place left; another moment may do.</summary>
    Full = 1,

    /// <summary>The hop does not hold this model or range.</summary>
    WrongRange = 2,

    /// <summary>The hop is shutting down.</summary>
    Leaving = 3,

    /// <summary>The request breaks a limit or makes no sense.</summary>
    Invalid = 4,
}

/// <summary>Hop to pipeline: cannot take the session.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Reason">Why.</param>
/// <param name="Message">For people.</param>
public sealed record SessionRefused(SessionId Session, int Epoch, int HopIndex, RefusalReason Reason, string Message) : ISessionMessage, IEvent;

/// <summary>Head to pipeline: positions without a draw are computed through the whole route (a part of the prompt).</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">First position.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="HopMicroseconds">Compute time of each hop.</param>
/// <param name="Scores">Where <see cref="OpenSession.Scored"/> asks for it: for each position, how likely the token at the next one was. [Rows], or empty.</param>
public sealed record RowsComputed(SessionId Session, int Epoch, int Position, int Rows, ImmutableArray<int> HopMicroseconds, ImmutableArray<TokenChoice> Scores = default) : ISessionMessage, IEvent
{
    /// <inheritdoc/>
    public bool Equals(RowsComputed? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Position == other.Position
        && Rows == other.Rows && HopMicroseconds.AsSpan().SequenceEqual(other.HopMicroseconds.AsSpan())
        && Scores.AsSpan().SequenceEqual(other.Scores.AsSpan(), TokenChoiceComparer.Instance);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, Position, Rows);
}

/// <summary>Head to pipeline: a token was drawn; behind drafts, one after each.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">The position the token takes: one past the last computed row that is no draft.</param>
/// <param name="Choice">The token.</param>
/// <param name="HopMicroseconds">Compute time of each hop.</param>
/// <param name="Further">For each draft of the step, the token drawn after it: which counts where it and all drafts before it are what was drawn in their places. [drafts], or empty.</param>
public sealed record TokenSampled(SessionId Session, int Epoch, int Position, TokenChoice Choice, ImmutableArray<int> HopMicroseconds, ImmutableArray<TokenChoice> Further = default) : ISessionMessage, IEvent
{
    /// <inheritdoc/>
    public bool Equals(TokenSampled? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Position == other.Position
        && TokenChoiceComparer.Instance.Equals(Choice, other.Choice)
        && Further.AsSpan().SequenceEqual(other.Further.AsSpan(), TokenChoiceComparer.Instance)
        && HopMicroseconds.AsSpan().SequenceEqual(other.HopMicroseconds.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, Position, Choice.Id);
}

/// <summary>Head of an encoder to pipeline: the whole sequence is computed through the route.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Rows">Positions of the sequence.</param>
/// <param name="Values">What was asked for in <see cref="OpenSession.Output"/>. Never written to after the message is made.</param>
/// <param name="HopMicroseconds">Compute time of each hop.</param>
public sealed record SequenceEncoded(SessionId Session, int Epoch, int Rows, ReadOnlyMemory<float> Values, ImmutableArray<int> HopMicroseconds) : ISessionMessage, IEvent
{
    /// <inheritdoc/>
    public bool Equals(SequenceEncoded? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Rows == other.Rows
        && Values.Span.SequenceEqual(other.Values.Span) && HopMicroseconds.AsSpan().SequenceEqual(other.HopMicroseconds.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, Rows, Values.Length);
}

/// <summary>Hop to pipeline: a step was not accepted because its position does not follow what the hop has, or the connection to a hop beside it broke, so that one may be lost.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The hop's current epoch.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Position">The refused step's position, or that of the one that may be lost.</param>
/// <param name="KvLength">Positions the hop has: the only position it will accept.</param>
public sealed record StepRejected(SessionId Session, int Epoch, int HopIndex, int Position, int KvLength) : ISessionMessage, IEvent;

/// <summary>Hop to pipeline: computing failed, or was not begun because of what came in. The session cannot go on there.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="HopIndex">The hop.</param>
/// <param name="Message">For people.</param>
/// <param name="Refused">Where what the hop before sent could not be taken, for example because a value was not finite: the position; else null.</param>
/// <param name="Unsound">Whether what it computed itself is no result that any model gives: a value that is not finite.</param>
public sealed record StepFailed(SessionId Session, int Epoch, int HopIndex, string Message, int? Refused = null, bool Unsound = false) : ISessionMessage, IEvent;
