using System.Diagnostics.CodeAnalysis;
using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>The sessions of one loaded range, and what of a message is believed: who may open, feed and close, and with what.</summary>
/// <param name="model">The model.</param>
/// <param name="shape">Its hyper-parameters.</param>
/// <param name="range">The range.</param>
/// <param name="maxSessions">Most sessions at a time.</param>
/// <param name="budget">The device's memory for sessions.</param>
/// <param name="key">Signs receipts and answers; null for a device that cannot.</param>
/// <param name="cluster">The cluster for which it signs: a session of another one is refused.</param>
internal sealed partial class SessionTable(ModelId model, ModelShape shape, LayerRange range, int maxSessions, CacheBudget budget, DeviceKey? key = null, ClusterId cluster = default)
{
    /// <summary>Activations of one session that may wait, in bytes, before credit for more is held back.</summary>
    public const long BytesAhead = 4 << 20;

    private const long BytesKeptAhead = 64 << 10;

    private readonly Dictionary<SessionId, ShardSession> _sessions = [];

    /// <summary>Whether new sessions are refused.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>The sessions.</summary>
    public IReadOnlyCollection<ShardSession> Sessions => _sessions.Values;

    /// <summary>
    /// Memory that a session of so many positions may take on a shard, in bytes: its cache, and what waits to be computed,
    /// which is bounded by credit, and by its positions where those are few. An encoder's waits until it is whole. Where it is signed, all
    /// that came in is held to the end: whoever signs that something came in can be asked for it.
    /// </summary>
    public static long BytesFor(ModelShape shape, LayerRange range, int positions, bool isSigned = false)
    {
        if (shape.Encoder is not null)
        {
            // It keeps nothing, but a sequence waits until it is whole.
            return (long)positions * shape.HiddenSize * sizeof(float);
        }

        var row = (range.HasEmbedding ? 1L : shape.HiddenSize) * sizeof(float);
        // Messages that had credit still arrive when it is held back.
        var waiting = BytesAhead + (ProtocolLimits.HiddenCredit * Math.Max(row, ProtocolLimits.ActivationBytes));
        return KvCache.BytesFor(shape, range, positions) + (isSigned && !range.HasEmbedding ? positions * row : Math.Min(positions * row, waiting));
    }

    /// <summary>Decides about opening a session, and reserves its memory.</summary>
    /// <param name="message">The request.</param>
    /// <param name="now">The time, on any clock that only grows.</param>
    public OpenDecision Open(OpenSession message, TimeSpan now)
    {
        if (Problem(message) is { } problem)
        {
            return OpenDecision.Refuse(RefusalReason.Invalid, problem);
        }

        if (message.Route.Model != model || message.Route.Hops[message.HopIndex].Range != range)
        {
            return OpenDecision.Refuse(RefusalReason.WrongRange, $"this device holds {range.Describe(shape.Layers)} of {model.Short}, not what the route names.");
        }

        if (_sessions.TryGetValue(message.Session, out var session))
        {
            return Again(session, message, now);
        }

        if (IsLeaving)
        {
            return OpenDecision.Refuse(RefusalReason.Leaving, "this device is about to give the range up.");
        }

        if (_sessions.Count >= maxSessions)
        {
            return OpenDecision.Refuse(RefusalReason.Full, $"this device serves {maxSessions} sessions already.");
        }

        var bytes = BytesFor(shape, range, message.TokenLimit, message.Signed);
        if (!budget.TryReserve(bytes) && !(ForgetOutputs() && budget.TryReserve(bytes)))
        {
            return OpenDecision.Refuse(
                RefusalReason.Full,
                $"a session of {message.TokenLimit} positions needs {bytes} bytes of cache and waiting input; {budget.Total - budget.Reserved} of {budget.Total} are free.");
        }

        session = new ShardSession(message, bytes, now)
        {
            Receipts = message.Signed ? new ReceiptBook(key!, model, range, message) : null,
            Checks = message.Audit is null ? null : new CheckBook(message, key),
        };
        if (HasNext(session))
        {
            session.Kept = new RowStore(shape.HiddenSize);
        }

        if (message.Signed && !session.IsWhole && !range.HasEmbedding)
        {
            session.Taken = new RowStore(shape.HiddenSize);
        }

        _sessions.Add(message.Session, session);
        return new OpenDecision(OpenOutcome.New, session);
    }

    /// <summary>Decides about tokens for the first hop, and queues them.</summary>
    /// <param name="message">The step.</param>
    /// <param name="sender">Who sent it.</param>
    public FeedDecision Feed(FeedTokens message, IActorRef sender)
    {
        if (!TryFind(message, out var session))
        {
            return new FeedDecision(FeedOutcome.Unknown, null);
        }

        if (message.Epoch != session.Epoch || !session.IsResumed || !range.HasEmbedding || !sender.Equals(session.Open.Pipeline))
        {
            return new FeedDecision(FeedOutcome.Ignored, session);
        }

        if (message.Tokens.IsDefaultOrEmpty || message.Tokens.Length > ProtocolLimits.TokensPerFeed)
        {
            return Fail(session, $"a step has 1 to {ProtocolLimits.TokensPerFeed} tokens.");
        }

        return message.Tokens.AsSpan().ContainsAnyExceptInRange(0, shape.VocabularySize - 1)
            ? Fail(session, $"a token id is outside the vocabulary of {shape.VocabularySize}.")
            : Accept(session, StepPiece.Of(message));
    }

    /// <summary>Decides about activations from the hop before, and queues them.</summary>
    /// <param name="message">The step.</param>
    /// <param name="sender">Who sent it.</param>
    public FeedDecision Feed(FeedHidden message, IActorRef sender)
    {
        if (!TryFind(message, out var session))
        {
            return new FeedDecision(FeedOutcome.Unknown, null);
        }

        if (message.Epoch != session.Epoch || !session.IsResumed || !sender.Equals(session.Previous))
        {
            return new FeedDecision(FeedOutcome.Ignored, session);
        }

        if (message.Rows < 1 || message.Hidden.Length != (long)message.Rows * shape.HiddenSize)
        {
            return Refuse(session, message, 0, $"{message.Hidden.Length} activations are not {message.Rows} rows of {shape.HiddenSize}.");
        }

        if (message.HopMicroseconds.IsDefault || !(message.HopMicroseconds.Length == session.Open.HopIndex || (session.IsCheck && message.HopMicroseconds.IsEmpty)) || message.HopMicroseconds.AsSpan().ContainsAnyExceptInRange(0, int.MaxValue))
        {
            return Refuse(session, message, 0, $"a step names {session.Open.HopIndex} compute times here.");
        }

        if (session.Owed >= ProtocolLimits.HiddenCredit)
        {
            return Refuse(session, message, 0, "the hop before sends more than it has credit for.");
        }

        // No kernel sees it: what comes of it would be this hop's own.
        return session.Takes(message.Position) && Activations.FirstUnsound(message.Hidden.Span, shape.HiddenSize) is >= 0 and var row
            ? Refuse(session, message, row, "the hop before sent a value that is not finite, or larger than any model's.")
            : Accept(session, StepPiece.Of(message));
    }

    /// <summary>Decides about keys and values that a session which checks another one is given.</summary>
    /// <param name="message">What is given.</param>
    /// <param name="sender">Who sent it.</param>
    public FeedDecision Feed(FeedCache message, IActorRef sender)
    {
        if (!TryFind(message, out var session))
        {
            return new FeedDecision(FeedOutcome.Unknown, null);
        }

        if (message.Epoch != session.Epoch || session is not { IsCheck: true, IsWhole: false } || !sender.Equals(session.Open.Pipeline))
        {
            return new FeedDecision(FeedOutcome.Ignored, session);
        }

        var (next, offset) = (session.NextPosition, session.Cache?.Imported ?? 0);
        if (message.Position < next || (message.Position == next && message.Offset < offset))
        {
            return new FeedDecision(FeedOutcome.Ignored, session);
        }

        if (message.Position != next || message.Offset != offset || session.IsComputing || session.Steps.Rows > 0)
        {
            return new FeedDecision(FeedOutcome.Rejected, session);
        }

        return Problem(message, session) is { } problem ? Fail(session, problem) : new FeedDecision(FeedOutcome.Accepted, session);
    }

    /// <summary>Decides about going on in the epoch of a repaired route, and brings the session to where it goes on.</summary>
    /// <param name="message">Where each hop goes on.</param>
    /// <param name="sender">Who sent it.</param>
    public FeedDecision Resume(ResumeSession message, IActorRef sender)
    {
        if (!TryFind(message, out var session))
        {
            return new FeedDecision(FeedOutcome.Unknown, null);
        }

        if (message.Epoch != session.Epoch || session.IsResumed || session.IsComputing || !sender.Equals(range.HasEmbedding ? session.Open.Pipeline : session.Previous))
        {
            return new FeedDecision(FeedOutcome.Ignored, session);
        }

        if (Problem(message, session) is { } problem)
        {
            return Fail(session, problem);
        }

        session.Resume(message);
        return new FeedDecision(FeedOutcome.Accepted, session);
    }

    /// <summary>Keeps what a session gave, as far as there is memory for it; where there is none, nothing of it is kept until its route is repaired.</summary>
    /// <param name="session">The session.</param>
    /// <param name="position">The first position.</param>
    /// <param name="hidden">The rows, [rows, hidden].</param>
    public void Keep(ShardSession session, int position, ReadOnlyMemory<float> hidden)
    {
        if (session.Kept is not { } kept)
        {
            return;
        }

        kept.Add(position, hidden);
        if (kept.Bytes > session.KeptBytes)
        {
            // Not for each token.
            var more = Math.Max(kept.Bytes - session.KeptBytes, BytesKeptAhead);
            if (budget.TryReserveSpare(more))
            {
                session.KeptBytes += more;
            }
            else
            {
                ForgetOutputs(session);
            }
        }
    }

    /// <summary>Gives the memory of a session back whose cache is gone.</summary>
    public void Release(ShardSession session)
    {
        ForgetOutputs(session);
        session.Taken = null;
        budget.Release(session.CacheBytes);
    }

    /// <summary>The session whose next hop gives credit, or null when the message is of no use.</summary>
    public ShardSession? Credit(HiddenReceived message, IActorRef sender)
        => TryFind(message, out var session) && message.Epoch == session.Epoch && sender.Equals(session.Next) && session.Window.Acknowledge(message.Position)
            ? session
            : null;

    /// <summary>The session that its pipeline closes, or null when the message is of no use.</summary>
    public ShardSession? Close(CloseSession message, IActorRef sender)
        => TryFind(message, out var session) && message.Epoch >= session.Epoch && sender.Equals(session.Open.Pipeline) ? session : null;

    /// <summary>The session that its pipeline asks about, or null when the message is of no use.</summary>
    public ShardSession? Asked(ISessionMessage message, IActorRef sender)
        => TryFind(message, out var session) && message.Epoch == session.Epoch && sender.Equals(session.Open.Pipeline) ? session : null;

    /// <summary>The sessions of a pipeline.</summary>
    public ShardSession[] Of(IActorRef pipeline) => [.. _sessions.Values.Where(session => session.Open.Pipeline.Equals(pipeline))];

    /// <summary>The sessions that were silent for <paramref name="limit"/> and for which nothing is computed.</summary>
    public ShardSession[] Idle(TimeSpan now, TimeSpan limit)
        => [.. _sessions.Values.Where(session => !session.IsComputing && session.Steps.Rows == 0 && now - session.LastActive >= limit)];

    /// <summary>Whether somebody waits for a next token: of a session that computed one after a time, and has nothing else to compute.</summary>
    public bool AwaitsToken(TimeSpan since)
    {
        foreach (var session in _sessions.Values)
        {
            if (session.LastToken > since && !session.IsLong)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes a session out. Its memory stays reserved until its cache is gone.</summary>
    public void Remove(ShardSession session)
    {
        _sessions.Remove(session.Open.Session);
        session.IsClosed = true;
        session.Steps.Clear();
        session.Window.Clear();
    }

    /// <summary>Forgets what all sessions keep that nobody is about to ask for; whether there was any.</summary>
    private bool ForgetOutputs()
    {
        var forgotten = false;
        foreach (var session in _sessions.Values)
        {
            if (session is { IsResumed: true, KeptBytes: > 0 })
            {
                ForgetOutputs(session);
                forgotten = true;
            }
        }

        return forgotten;
    }

    private void ForgetOutputs(ShardSession session)
    {
        session.Kept = null;
        budget.Release(session.KeptBytes);
        session.KeptBytes = 0;
    }

    /// <summary>Whether what a session gives goes to another hop, which may have to be given it again.</summary>
    private bool HasNext(ShardSession session) => !range.HasHead(shape.Layers) && session is { IsWhole: false, IsCheck: false };

    private static FeedDecision Fail(ShardSession session, string problem) => new(FeedOutcome.Failed, session, problem);

    private static FeedDecision Refuse(ShardSession session, FeedHidden message, int row, string problem) => new(FeedOutcome.Failed, session, problem, message.Position + row);

    private OpenDecision Again(ShardSession session, OpenSession message, TimeSpan now)
    {
        if (message.Epoch < session.Epoch)
        {
            return new OpenDecision(OpenOutcome.Stale, session);
        }

        if (!message.Pipeline.Equals(session.Open.Pipeline) || message.TokenLimit != session.Open.TokenLimit || message.Sampling != session.Open.Sampling || message.Output != session.Open.Output
            || !message.Scored.AsSpan().SequenceEqual(session.Open.Scored.AsSpan()) || message.Signed != session.Open.Signed || message.Audit != session.Open.Audit
            || message.Cluster != session.Open.Cluster || message.Commitment != session.Open.Commitment || !message.Prefix.AsSpan().SequenceEqual(session.Open.Prefix.AsSpan()))
        {
            return OpenDecision.Refuse(RefusalReason.Invalid, "the session is open with another pipeline, limit, sampling, output, prompt to score, terms, check or prefix.");
        }

        if (message.Epoch > session.Epoch)
        {
            session.Reopen(message);
            if (HasNext(session))
            {
                // Memory may have become free since it was given up.
                session.Kept ??= new RowStore(shape.HiddenSize);
            }
        }
        else if (message.Route != session.Open.Route)
        {
            return OpenDecision.Refuse(RefusalReason.Invalid, "the session is open with another route of the same epoch.");
        }

        session.LastActive = now;
        return new OpenDecision(OpenOutcome.Again, session);
    }

    private bool TryFind(ISessionMessage message, [NotNullWhen(true)] out ShardSession? session) => _sessions.TryGetValue(message.Session, out session);

    private FeedDecision Accept(ShardSession session, StepPiece piece)
    {
        if (!session.Takes(piece.Position))
        {
            return new FeedDecision(FeedOutcome.Rejected, session);
        }

        if (piece.IsDrafted && DraftProblem(piece, session) is { } problem)
        {
            return Fail(session, problem);
        }

        if (piece.Rows > session.Open.TokenLimit - piece.Position)
        {
            return Fail(session, $"the session was opened for {session.Open.TokenLimit} positions.");
        }

        if (session.IsWhole && piece.Sample != (piece.Position + piece.Rows == session.Open.TokenLimit))
        {
            return Fail(session, $"a sequence of {session.Open.TokenLimit} positions ends with its last one.");
        }

        session.Accept(piece);
        return new FeedDecision(FeedOutcome.Accepted, session);
    }
}
