using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// What a shard does about each message, without an actor: what is believed is in <see cref="SessionTable"/>, what is computed in
/// <see cref="ShardBatch"/>, and what goes out goes through <see cref="IShardOutlet"/>.
/// </summary>
internal sealed partial class ShardCore
{
    private readonly TransformerShard _shard;
    private readonly SessionTable _sessions;
    private readonly ShardBatch _batch;
    private readonly IShardOutlet _outlet;
    private readonly BatchLine _line = new();
    private readonly BatchPace _pace = new();
    private readonly Func<ShardSession, int, int> _add;
    private readonly int _width;
    private readonly int _messageBytes;
    private readonly int _rowsPerMessage;
    private readonly bool _hasHead;
    private readonly Sabotage? _sabotage;

    /// <summary>A shard without sessions.</summary>
    /// <param name="shard">The weights.</param>
    /// <param name="sessions">Its sessions: none.</param>
    /// <param name="batch">What it computes with.</param>
    /// <param name="messageBytes">Most bytes of activations in a message of more than one row.</param>
    /// <param name="outlet">The world.</param>
    /// <param name="sabotage">What changes what it opens; null for an honest device.</param>
    public ShardCore(TransformerShard shard, SessionTable sessions, ShardBatch batch, int messageBytes, IShardOutlet outlet, Sabotage? sabotage = null)
    {
        (_shard, _sessions, _batch, _outlet, _messageBytes, _sabotage) = (shard, sessions, batch, outlet, messageBytes, sabotage);
        _add = batch.Add;
        _width = shard.Shape.HiddenSize;
        _rowsPerMessage = Activations.RowsPerMessage(_width, messageBytes);
        _hasHead = shard.Range.HasHead(shard.Shape.Layers);
    }

    /// <summary>The sessions whose memory is in use: the open ones, and those that were closed while they are computed.</summary>
    public HashSet<ShardSession> Holding()
    {
        var sessions = _sessions.Sessions.ToHashSet();
        foreach (var slot in _batch.Slots)
        {
            sessions.Add(slot.Session);
        }

        return sessions;
    }

    /// <summary>A pipeline opens a session, or opens it again.</summary>
    public void Open(OpenSession message)
    {
        var decision = _sessions.Open(message, _outlet.Now);
        switch (decision.Outcome)
        {
            case OpenOutcome.New:
                decision.Session!.Cache = _shard.CreateCache(message.TokenLimit);
                _sessions.Begin(decision.Session);
                _outlet.Watch(message.Pipeline);
                break;
            case OpenOutcome.Refused:
                _outlet.Send(message.Pipeline, new SessionRefused(message.Session, message.Epoch, message.HopIndex, decision.Reason, decision.Message));
                return;
            case OpenOutcome.Stale:
                return;
            default:
                break;
        }

        // What it will have is known when what computes now is computed.
        var session = decision.Session!;
        session.OwesOpened = session is { IsComputing: true, IsResumed: false };
        if (!session.OwesOpened)
        {
            _outlet.Send(message.Pipeline, session.Opened());
        }

        if (_sessions.IsLeaving)
        {
            SayMoving(session);
        }
    }

    /// <summary>Every hop of a repaired route is there: the session goes on.</summary>
    public void Resume(ResumeSession message, IActorRef sender)
    {
        var decision = _sessions.Resume(message, sender);
        if (decision.Outcome == FeedOutcome.Failed)
        {
            Fail(decision.Session!, decision.Problem);
        }
        else if (decision.Outcome == FeedOutcome.Accepted)
        {
            var session = decision.Session!;
            session.LastActive = _outlet.Now;
            if (session.Next is { } next)
            {
                _outlet.Send(next, message);
                Send(session);
            }
        }
    }

    /// <summary>Tokens for the first hop.</summary>
    public void Feed(FeedTokens message, IActorRef sender) => Take(message, _sessions.Feed(message, sender), message.Position, sender);

    /// <summary>Activations from the hop before.</summary>
    public void Feed(FeedHidden message, IActorRef sender) => Take(message, _sessions.Feed(message, sender), message.Position, sender);

    /// <summary>The next hop has taken a message.</summary>
    public void Credit(HiddenReceived message, IActorRef sender)
    {
        if (_sessions.Credit(message, sender) is not { } session)
        {
            return;
        }

        session.LastActive = _outlet.Now;
        Send(session);
        _line.Join(session);
        Compute();
    }

    /// <summary>A pipeline closes its session.</summary>
    public void Close(CloseSession message, IActorRef sender)
    {
        if (_sessions.Close(message, sender) is { } session)
        {
            // The whole is kept when the session's own memory is free, so that it need not be there twice.
            ImmutableArray<PageKey> keys = message.Pages.IsDefaultOrEmpty ? [] : [.. session.Open.Prefix.AsSpan(), .. message.Pages];
            var pages = SessionTable.PagesOf(session, keys);
            Close(session);
            _sessions.KeepPages(session, keys, pages);
        }
    }

    /// <summary>A pipeline is gone, and its sessions with it.</summary>
    public void PipelineGone(IActorRef pipeline)
    {
        foreach (var session in _sessions.Of(pipeline))
        {
            Close(session);
        }
    }

    /// <summary>The connection to a node broke, and with it perhaps what was under way to or from another hop: the pipelines are told where their sessions are.</summary>
    public void Disconnected(Address node)
    {
        foreach (var session in _sessions.Sessions)
        {
            if (session.IsResumed && (node.Equals(session.Next?.Path.Address) || node.Equals(session.Previous?.Path.Address)))
            {
                _outlet.Send(session.Open.Pipeline, new StepRejected(session.Open.Session, session.Epoch, session.Open.HopIndex, session.NextPosition, session.NextPosition));
            }
        }
    }

    /// <summary>Forgets sessions of which nothing was heard for so long.</summary>
    public void Forget(TimeSpan idle)
    {
        foreach (var session in _sessions.Idle(_outlet.Now, idle))
        {
            Fail(session, $"nothing was heard of it for {idle}.");
        }
    }

    /// <summary>Takes no new sessions from now on, and asks those it has to move to other hops.</summary>
    public void Drain()
    {
        _sessions.IsLeaving = true;
        foreach (var session in _sessions.Sessions)
        {
            SayMoving(session);
        }

        SayDrained();
    }

    /// <summary>Takes sessions again.</summary>
    public void Undrain() => _sessions.IsLeaving = false;

    /// <summary>The batch is computed.</summary>
    public void BatchDone()
    {
        _batch.IsComputing = false;
        Learn();
        foreach (var slot in _batch.Slots)
        {
            var session = slot.Session;
            (session.ComputingRows, session.IsSealing) = (0, false);
            session.LastActive = _outlet.Now;
            session.LastToken = slot is { Rows: 1, Sample: true } or { IsDrafted: true } && !session.IsCheck ? _outlet.Now : session.LastToken;
            if (session.IsClosed)
            {
                Free(session);
            }
            else if (slot.Error is { } error)
            {
                Fail(session, error, isUnsound: slot.IsUnsound);
            }
            else
            {
                if (slot.Rows > 0)
                {
                    Deliver(slot, session);
                }

                if (session.OwesOpened)
                {
                    session.OwesOpened = false;
                    _outlet.Send(session.Open.Pipeline, session.Opened());
                }

                _sessions.KeepPages(session);
                Vouch(slot, session);
                OpenCache(session);
                _line.Join(session);
            }
        }

        _batch.Clear();
        Compute();
        SayDrained();
    }

    private void Learn()
    {
        var (longRows, microseconds) = (0, 0);
        foreach (var slot in _batch.Slots)
        {
            longRows += slot.Rows > 1 ? slot.Rows : 0;
            microseconds = Math.Max(microseconds, slot.Microseconds);
        }

        if (microseconds > 0)
        {
            _pace.Learn(longRows, microseconds);
        }
    }

    private void Take(ISessionMessage message, FeedDecision decision, int position, IActorRef sender)
    {
        switch (decision.Outcome)
        {
            case FeedOutcome.Accepted:
                decision.Session!.LastActive = _outlet.Now;
                GiveCredit(decision.Session);
                _line.Join(decision.Session);
                Compute();
                break;
            case FeedOutcome.Rejected:
                var session = decision.Session!;
                _outlet.Send(session.Open.Pipeline, new StepRejected(message.Session, session.Epoch, session.Open.HopIndex, position, session.NextPosition));
                break;
            case FeedOutcome.Failed:
                Fail(decision.Session!, decision.Problem, decision.Refused);
                break;
            case FeedOutcome.Unknown when message is FeedTokens:
                // A pipeline learns that its session is gone; a hop learns it from the pipeline.
                _outlet.Send(sender, new StepRejected(message.Session, message.Epoch, 0, position, 0));
                break;
            default:
                break;
        }
    }

    private void GiveCredit(ShardSession session)
    {
        while (session.NextCredit() is { } position)
        {
            _outlet.Send(session.Previous!, new HiddenReceived(session.Open.Session, session.Epoch, position));
        }
    }

    private void Compute()
    {
        if (_batch.IsComputing || _line.IsEmpty)
        {
            return;
        }

        _batch.Clear();
        _line.Fill(_batch.Room, _sessions.AwaitsToken(_outlet.Now - BatchPace.Patience) ? _pace.Rows : int.MaxValue, _add);
        if (_batch.Count == 0)
        {
            return;
        }

        foreach (var slot in _batch.Slots)
        {
            GiveCredit(slot.Session);
        }

        _batch.IsComputing = _outlet.TryCompute(_batch);
        if (!_batch.IsComputing)
        {
            foreach (var slot in _batch.Slots)
            {
                (slot.Session.ComputingRows, slot.Session.IsSealing) = (0, false);
                Fail(slot.Session, "the device takes no more work.");
            }

            _batch.Clear();
        }
    }

    private void Deliver(BatchSlot slot, ShardSession session)
    {
        if (session.IsCheck)
        {
            return;
        }

        if (!_hasHead)
        {
            _sessions.Keep(session, slot.Position, slot.Step.Hidden);
        }

        if (slot.Epoch != session.Epoch)
        {
            // Of its drafts nobody will say any more which were right.
            session.Kept?.Truncate(session.NextPosition);
            return;
        }

        if (!_hasHead)
        {
            Cut(slot, session);
            Send(session);
        }
        else if (session.IsWhole)
        {
            _outlet.Send(session.Open.Pipeline, new SequenceEncoded(session.Open.Session, session.Epoch, slot.Rows, slot.Step.Logits, Times(slot, isFirst: true)));
        }
        else if (slot.Sample)
        {
            if (slot.Scores.Length > 0)
            {
                _outlet.Send(session.Open.Pipeline, new RowsComputed(session.Open.Session, session.Epoch, slot.Position, slot.Scores.Length, Times(slot, isFirst: false), slot.Scores));
            }

            _outlet.Send(session.Open.Pipeline, new TokenSampled(
                session.Open.Session, session.Epoch, slot.Position + slot.FirstDrawn + 1, slot.Choice, Times(slot, isFirst: true), slot.Further));
        }
        else
        {
            _outlet.Send(session.Open.Pipeline, new RowsComputed(session.Open.Session, session.Epoch, slot.Position, slot.Rows, Times(slot, isFirst: true), slot.Scores));
        }
    }

    private void Cut(BatchSlot slot, ShardSession session)
    {
        ReadOnlyMemory<float> hidden = slot.Step.Hidden;
        var first = Math.Max(0, session.ForwardFrom - slot.Position);
        var most = slot.IsDrafted ? slot.Rows : _rowsPerMessage;
        for (var row = first; row < slot.Rows; row += most)
        {
            var rows = Math.Min(most, slot.Rows - row);
            session.Window.Add(new FeedHidden(
                session.Open.Session,
                session.Epoch,
                slot.Position + row,
                rows,
                slot.Sample && row + rows == slot.Rows,
                hidden.Slice(row * _width, rows * _width),
                Times(slot, row == first),
                slot.IsDrafted));
        }
    }

    private void Send(ShardSession session)
    {
        while (session.NextMessage(_width, _rowsPerMessage) is { } message)
        {
            _outlet.Send(session.Next!, _batch.Outgoing(message));
        }
    }

    /// <summary>Compute time of each hop until here; nothing for the further messages of a step, so that it counts once.</summary>
    private static ImmutableArray<int> Times(BatchSlot slot, bool isFirst)
    {
        var times = new int[slot.Before.Length + 1];
        if (isFirst)
        {
            for (var hop = 0; hop < slot.Before.Length; hop++)
            {
                times[hop] = (int)Math.Min(int.MaxValue, slot.Before[hop]);
            }

            times[^1] = slot.Microseconds;
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(times);
    }

    private void Fail(ShardSession session, string problem, int? refused = null, bool isUnsound = false)
    {
        _outlet.Warn(new SessionFailure(session.Open.Session, problem));
        _outlet.Send(session.Open.Pipeline, new StepFailed(session.Open.Session, session.Epoch, session.Open.HopIndex, problem, refused, isUnsound));
        Close(session);
    }

    private void Close(ShardSession? session)
    {
        if (session is null || session.IsClosed)
        {
            return;
        }

        _sessions.Remove(session);
        if (_sessions.Of(session.Open.Pipeline).Length == 0)
        {
            _outlet.Unwatch(session.Open.Pipeline);
        }

        if (!session.IsComputing)
        {
            Free(session);
        }

        SayDrained();
    }

    private void Free(ShardSession session)
    {
        session.Cache?.Dispose();
        _sessions.Release(session);
    }

    private void SayMoving(ShardSession session)
        => _outlet.Send(session.Open.Pipeline, new SessionMoving(session.Open.Session, session.Epoch, session.Open.HopIndex));

    private void SayDrained()
    {
        if (_sessions.IsLeaving && _sessions.Sessions.Count == 0 && !_batch.IsComputing)
        {
            _outlet.Drained();
        }
    }
}
