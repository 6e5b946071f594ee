using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Protocol;

/// <summary>A message of one session: belongs to one epoch of its route.</summary>
public interface ISessionMessage : IProtocolMessage
{
    /// <summary>The session.</summary>
    SessionId Session { get; }

    /// <summary>The epoch of its route, from 1; a repaired route is the next one. A shard ignores older ones.</summary>
    int Epoch { get; }
}

/// <summary>Pipeline to every hop: prepare to compute a session. Answered by <see cref="SessionOpened"/> or <see cref="SessionRefused"/>.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Route">The whole route, so that a hop can forward straight to the next.</param>
/// <param name="HopIndex">The receiver's place in the route.</param>
/// <param name="TokenLimit">Most positions the session will use; the hop reserves that much KV memory.</param>
/// <param name="Sampling">How the head draws tokens.</param>
/// <param name="Pipeline">The session's pipeline actor.</param>
/// <param name="Output">What the head of an encoder gives for the sequence, which is as long as <paramref name="TokenLimit"/>; <see cref="SequenceOutput.None"/> where tokens are drawn.</param>
/// <param name="Scored">To the head: the prompt's token ids, where it is to say how likely each was (<see cref="RowsComputed.Scores"/>); empty where it is not.</param>
/// <param name="Signed">Whether the hop signs what it computes (<see cref="UnitSigned"/>).</param>
/// <param name="Audit">Where the hop recomputes what another one did: how; null where it serves.</param>
/// <param name="Cluster">Where the hop signs, or checks: the cluster, in which alone what it signs counts.</param>
/// <param name="Commitment">Where the hop signs: what was given away of the nonces that choose what is checked (<see cref="SessionTerms.Commitment"/>).</param>
/// <param name="Prefix">
/// The names of the first whole pages of the prompt, fewer positions than it has; empty where every position is to be computed, as where work is signed or checked. A
/// hop begins with as many of them as it has, says so as its <see cref="SessionOpened.KvLength"/>, and waits for <see cref="ResumeSession"/> in the first epoch too.
/// What it computes of them it may keep under these names for other sessions.
/// </param>
public sealed record OpenSession(
    SessionId Session,
    int Epoch,
    Route Route,
    int HopIndex,
    int TokenLimit,
    SamplingSettings Sampling,
    IActorRef Pipeline,
    SequenceOutput Output = SequenceOutput.None,
    ImmutableArray<int> Scored = default,
    bool Signed = false,
    AuditOrder? Audit = null,
    ClusterId Cluster = default,
    Digest Commitment = default,
    ImmutableArray<PageKey> Prefix = default) : ISessionMessage, ICommand
{
    /// <summary>What is asked of every hop of the session.</summary>
    public SessionTerms Terms => new(Cluster, Session, Route.Model, Sampling, Commitment);

    /// <inheritdoc/>
    public bool Equals(OpenSession? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Route == other.Route && HopIndex == other.HopIndex
        && TokenLimit == other.TokenLimit && Sampling == other.Sampling && Pipeline.Equals(other.Pipeline) && Output == other.Output
        && Scored.AsSpan().SequenceEqual(other.Scored.AsSpan()) && Signed == other.Signed && Audit == other.Audit
        && Cluster == other.Cluster && Commitment == other.Commitment && Prefix.AsSpan().SequenceEqual(other.Prefix.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, HopIndex);
}

/// <summary>
/// Pipeline to the first hop, and from each hop to the next, when every hop of a repaired route has answered <see cref="SessionOpened"/>:
/// go on from here. It goes the way of the steps, so that it is there before the first of them. A hop forgets what it has from its start
/// on, sends the next hop what that lacks of the rows before it from the outputs it kept, and takes steps again.
/// </summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Starts">For each hop how many positions it keeps: the position of its next step. At most what it said it has.</param>
/// <param name="Length">Positions whose tokens are known: the head draws after the last of them, and after none before it.</param>
public sealed record ResumeSession(SessionId Session, int Epoch, ImmutableArray<int> Starts, int Length) : ISessionMessage, ICommand
{
    /// <inheritdoc/>
    public bool Equals(ResumeSession? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Length == other.Length
        && Starts.AsSpan().SequenceEqual(other.Starts.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, Starts.Length, Length);
}

/// <summary>Pipeline to the first hop: compute these tokens.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">Position of the first token; must equal the hop's KV length, or behind drafts go back into them: those from there on are forgotten.</param>
/// <param name="Tokens">At least one token id.</param>
/// <param name="Sample">Whether the head draws the token that follows the last one.</param>
/// <param name="Drafted">Whether all tokens but the first are drafts, at most <see cref="ProtocolLimits.Drafts"/>: guesses, of which the next step says by its position how many were right. The head draws after each.</param>
public sealed record FeedTokens(SessionId Session, int Epoch, int Position, ImmutableArray<int> Tokens, bool Sample, bool Drafted = false) : ISessionMessage, ICommand
{
    /// <inheritdoc/>
    public bool Equals(FeedTokens? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Position == other.Position
        && Sample == other.Sample && Drafted == other.Drafted && Tokens.AsSpan().SequenceEqual(other.Tokens.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, Position, Tokens.Length, Sample);
}

/// <summary>Hop to the next hop: compute on from these activations. At most <see cref="ProtocolLimits.ActivationBytes"/> of them; more travel as several messages, but those of a step with drafts, which is one.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">Position of the first row; as <see cref="FeedTokens.Position"/>.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="Sample">Whether the head draws the token that follows the last row.</param>
/// <param name="Hidden">The residual stream, [Rows, hidden]. Never written to after the message is made.</param>
/// <param name="HopMicroseconds">Compute time each hop so far spent on this step.</param>
/// <param name="Drafted">As <see cref="FeedTokens.Drafted"/>.</param>
public sealed record FeedHidden(SessionId Session, int Epoch, int Position, int Rows, bool Sample, ReadOnlyMemory<float> Hidden, ImmutableArray<int> HopMicroseconds, bool Drafted = false) : ISessionMessage, ICommand
{
    /// <inheritdoc/>
    public bool Equals(FeedHidden? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Position == other.Position
        && Rows == other.Rows && Sample == other.Sample && Drafted == other.Drafted && Hidden.Span.SequenceEqual(other.Hidden.Span)
        && HopMicroseconds.AsSpan().SequenceEqual(other.HopMicroseconds.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch, Position, Rows, Sample);
}

/// <summary>Hop to the previous hop: credit for one <see cref="FeedHidden"/> taken from the transport.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Position">The message's position.</param>
public sealed record HiddenReceived(SessionId Session, int Epoch, int Position) : ISessionMessage, IEvent;

/// <summary>Pipeline to every hop: forget the session.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The latest epoch.</param>
/// <param name="Pages">The names of the whole pages behind those of <see cref="OpenSession.Prefix"/>, under which the hop may keep them for other sessions; empty where they are to be forgotten.</param>
public sealed record CloseSession(SessionId Session, int Epoch, ImmutableArray<PageKey> Pages = default) : ISessionMessage, ICommand
{
    /// <inheritdoc/>
    public bool Equals(CloseSession? other) => other is not null && Session == other.Session && Epoch == other.Epoch && Pages.AsSpan().SequenceEqual(other.Pages.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Session, Epoch);
}
