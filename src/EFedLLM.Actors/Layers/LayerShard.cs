using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// One loaded range of one model. It takes the steps of all sessions that wait, computes them as one batch on the device's compute
/// thread, and sends what comes out straight to the next hop, or from the head to the session's pipeline.
/// </summary>
internal sealed class LayerShard : ReceiveActor, IWithTimers
{
    private const int MostBatchValues = 1 << 28;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly LayerShardParts _parts;
    private readonly SessionTable _sessions;
    private readonly BatchLine _line = new();
    private readonly ShardBatch _batch;
    private readonly Func<ShardSession, int, int> _add;
    private readonly int _rowsPerMessage;
    private readonly bool _hasHead;
    private readonly long _start;

    /// <summary>A shard without sessions.</summary>
    public LayerShard(LayerShardParts parts)
    {
        _parts = parts;
        var shape = parts.Shard.Shape;
        _sessions = new SessionTable(parts.Model, shape, parts.Shard.Range, parts.MaxSessions, parts.Budget);
        var self = Self;
        _batch = new ShardBatch(parts.Shard, Math.Clamp(MostBatchValues / shape.HiddenSize, 1, parts.BatchRows), () => self.Tell(BatchComputed.Instance, ActorRefs.NoSender));
        _add = _batch.Add;
        _rowsPerMessage = Activations.RowsPerMessage(shape.HiddenSize, ProtocolLimits.ActivationBytes);
        _hasHead = parts.Shard.Range.HasHead(shape.Layers);
        _start = parts.Time.GetTimestamp();

        Receive<FeedHidden>(message => Take(message, _sessions.Feed(message, Sender), message.Position));
        Receive<FeedTokens>(message => Take(message, _sessions.Feed(message, Sender), message.Position));
        Receive<HiddenReceived>(message => Credit(_sessions.Credit(message, Sender)));
        Receive<BatchComputed>(_ => Deliver());
        Receive<OpenSession>(Open);
        Receive<CloseSession>(message => Close(_sessions.Close(message, Sender)));
        Receive<Terminated>(message => CloseAll(_sessions.Of(message.ActorRef)));
        Receive<ForgetIdle>(_ => Forget());
        Receive<DrainShard>(_ => Drain());
        Receive<ResumeShard>(_ => _sessions.IsLeaving = false);
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _parts.Time.GetElapsedTime(_start);

    /// <inheritdoc/>
    protected override void PreStart()
        => Timers.StartPeriodicTimer(nameof(ForgetIdle), ForgetIdle.Instance, TimeSpan.FromTicks(Math.Max(_parts.IdleSession.Ticks / 4, TimeSpan.TicksPerMillisecond)));

    /// <inheritdoc/>
    protected override void PostStop()
    {
        // Behind whatever computes now, so that nothing is taken away from under it.
        var sessions = _sessions.Sessions.ToHashSet();
        foreach (var slot in _batch.Slots)
        {
            sessions.Add(slot.Session);
        }

        var parts = _parts;
        if (!parts.Worker.TryEnqueue(new ComputeJob(_ => Release(parts, sessions))))
        {
            _log.Error("The compute thread is gone before its shard of {0}.", parts.Model.Short);
        }
    }

    private static void Release(LayerShardParts parts, IEnumerable<ShardSession> sessions)
    {
        foreach (var session in sessions)
        {
            session.Cache?.Dispose();
            parts.Budget.Release(session.CacheBytes);
        }

        parts.Shard.Dispose();
        parts.Released();
    }

    private void Open(OpenSession message)
    {
        var decision = _sessions.Open(message, Now);
        switch (decision.Outcome)
        {
            case OpenOutcome.New:
                decision.Session!.Cache = _parts.Shard.CreateCache(message.TokenLimit);
                Context.Watch(message.Pipeline);
                break;
            case OpenOutcome.Refused:
                message.Pipeline.Tell(new SessionRefused(message.Session, message.Epoch, message.HopIndex, decision.Reason, decision.Message));
                return;
            case OpenOutcome.Stale:
                return;
            default:
                break;
        }

        message.Pipeline.Tell(new SessionOpened(message.Session, message.Epoch, message.HopIndex));
    }

    private void Take(ISessionMessage message, FeedDecision decision, int position)
    {
        switch (decision.Outcome)
        {
            case FeedOutcome.Accepted:
                decision.Session!.LastActive = Now;
                GiveCredit(decision.Session);
                _line.Join(decision.Session);
                Compute();
                break;
            case FeedOutcome.Rejected:
                var session = decision.Session!;
                session.Open.Pipeline.Tell(new StepRejected(message.Session, session.Epoch, session.Open.HopIndex, position, session.NextPosition));
                break;
            case FeedOutcome.Failed:
                Fail(decision.Session!, decision.Problem);
                break;
            case FeedOutcome.Unknown when message is FeedTokens:
                // A pipeline learns that its session is gone; a hop learns it from the pipeline.
                Sender.Tell(new StepRejected(message.Session, message.Epoch, 0, position, 0));
                break;
            default:
                break;
        }
    }

    private void GiveCredit(ShardSession session)
    {
        while (session.NextCredit() is { } position)
        {
            session.Previous!.Tell(new HiddenReceived(session.Open.Session, session.Epoch, position));
        }
    }

    private void Credit(ShardSession? session)
    {
        if (session is null)
        {
            return;
        }

        session.LastActive = Now;
        Send(session);
        _line.Join(session);
        Compute();
    }

    private void Compute()
    {
        if (_batch.IsComputing || _line.IsEmpty)
        {
            return;
        }

        _batch.Clear();
        _line.Fill(_batch.Room, _add);
        if (_batch.Count == 0)
        {
            return;
        }

        foreach (var slot in _batch.Slots)
        {
            GiveCredit(slot.Session);
        }

        _batch.IsComputing = _parts.Worker.TryEnqueue(_batch);
        if (!_batch.IsComputing)
        {
            foreach (var slot in _batch.Slots)
            {
                slot.Session.ComputingRows = 0;
                Fail(slot.Session, "the device takes no more work.");
            }

            _batch.Clear();
        }
    }

    private void Deliver()
    {
        _batch.IsComputing = false;
        foreach (var slot in _batch.Slots)
        {
            var session = slot.Session;
            session.ComputingRows = 0;
            session.LastActive = Now;
            if (session.IsClosed)
            {
                Free(session);
            }
            else if (slot.Error is { } error)
            {
                Fail(session, error);
            }
            else
            {
                if (slot.Epoch == session.Epoch)
                {
                    Deliver(slot, session);
                }

                _line.Join(session);
            }
        }

        _batch.Clear();
        Compute();
        SayDrained();
    }

    private void Deliver(BatchSlot slot, ShardSession session)
    {
        if (!_hasHead)
        {
            Cut(slot, session);
            Send(session);
        }
        else if (session.IsWhole)
        {
            session.Open.Pipeline.Tell(new SequenceEncoded(session.Open.Session, session.Epoch, slot.Rows, slot.Step.Logits, Times(slot, isFirst: true)));
        }
        else if (slot.Sample)
        {
            if (slot.Scores.Length > 0)
            {
                session.Open.Pipeline.Tell(new RowsComputed(session.Open.Session, session.Epoch, slot.Position, slot.Scores.Length, Times(slot, isFirst: false), slot.Scores));
            }

            session.Open.Pipeline.Tell(new TokenSampled(session.Open.Session, session.Epoch, slot.Position + slot.Rows, slot.Choice, Times(slot, isFirst: true)));
        }
        else
        {
            session.Open.Pipeline.Tell(new RowsComputed(session.Open.Session, session.Epoch, slot.Position, slot.Rows, Times(slot, isFirst: true), slot.Scores));
        }
    }

    private void Cut(BatchSlot slot, ShardSession session)
    {
        var width = _parts.Shard.Shape.HiddenSize;
        ReadOnlyMemory<float> hidden = slot.Step.Hidden;
        for (var row = 0; row < slot.Rows; row += _rowsPerMessage)
        {
            var rows = Math.Min(_rowsPerMessage, slot.Rows - row);
            session.Window.Add(new FeedHidden(
                session.Open.Session,
                session.Epoch,
                slot.Position + row,
                rows,
                slot.Sample && row + rows == slot.Rows,
                hidden.Slice(row * width, rows * width),
                Times(slot, row == 0)));
        }
    }

    private void Send(ShardSession session)
    {
        while (session.Window.Next() is { } message)
        {
            session.Next!.Tell(message);
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

    private void Fail(ShardSession session, string problem)
    {
        _log.Warning("Session {0} failed: {1}", session.Open.Session, problem);
        session.Open.Pipeline.Tell(new StepFailed(session.Open.Session, session.Epoch, session.Open.HopIndex, problem));
        Close(session);
    }

    private void Forget()
    {
        foreach (var session in _sessions.Idle(Now, _parts.IdleSession))
        {
            Fail(session, $"nothing was heard of it for {_parts.IdleSession}.");
        }
    }

    private void CloseAll(ShardSession[] sessions)
    {
        foreach (var session in sessions)
        {
            Close(session);
        }
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
            Context.Unwatch(session.Open.Pipeline);
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
        _parts.Budget.Release(session.CacheBytes);
    }

    private void Drain()
    {
        _sessions.IsLeaving = true;
        SayDrained();
    }

    private void SayDrained()
    {
        if (_sessions.IsLeaving && _sessions.Sessions.Count == 0 && !_batch.IsComputing)
        {
            Context.Parent.Tell(new ShardDrained(Self));
        }
    }
}
