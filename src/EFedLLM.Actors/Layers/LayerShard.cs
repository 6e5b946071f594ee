using Akka.Actor;
using Akka.Event;
using Akka.Remote;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// One loaded range of one model. It takes the steps of all sessions that wait, computes them as one batch on the device's compute
/// thread, and sends what comes out straight to the next hop, or from the head to the session's pipeline. What it decides is in
/// <see cref="ShardCore"/>.
/// </summary>
internal sealed class LayerShard : ReceiveActor, IWithTimers, IShardOutlet
{
    private const int MostBatchValues = 1 << 28;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly LayerShardParts _parts;
    private readonly ShardCore _core;
    private readonly SessionTable _sessions;
    private readonly long _start;
    private readonly Queue<(TimeSpan Due, IActorRef Receiver, object Message)> _late = new(); // in the order in which it leaves
    private ITimer? _lateTimer;

    /// <summary>A shard without sessions.</summary>
    public LayerShard(LayerShardParts parts)
    {
        _parts = parts;
        _start = parts.Time.GetTimestamp();
        var (shape, self) = (parts.Shard.Shape, Self);
        _sessions = new SessionTable(parts.Model, shape, parts.Shard.Range, parts.MaxSessions, parts.Budget, parts.Key, parts.Cluster);
        var sabotage = Sabotage.Of(parts.Saboteur, parts.Shard);
        var batch = new ShardBatch(parts.Shard, Math.Clamp(MostBatchValues / shape.HiddenSize, 1, parts.BatchRows), () => self.Tell(BatchComputed.Instance, ActorRefs.NoSender), sabotage);
        _core = new ShardCore(parts.Shard, _sessions, batch, ProtocolLimits.ActivationBytes, this, sabotage);

        Receive<FeedHidden>(message => _core.Feed(message, Sender));
        Receive<FeedTokens>(message => _core.Feed(message, Sender));
        Receive<HiddenReceived>(message => _core.Credit(message, Sender));
        Receive<BatchComputed>(_ => _core.BatchDone());
        Receive<OpenSession>(_core.Open);
        Receive<ResumeSession>(message => _core.Resume(message, Sender));
        Receive<SealReceipts>(Seal);
        Receive<FeedCache>(message => _core.Feed(message, Sender));
        Receive<FetchKept>(Open);
        Receive<FetchCache>(Open);
        Receive<Layers.SendLate>(_ => SendLate());
        Receive<OpenLate>(late => _core.Open(late.Message, late.Sender));
        Receive<CloseSession>(message => _core.Close(message, Sender));
        Receive<Terminated>(message => _core.PipelineGone(message.ActorRef));
        Receive<DisassociatedEvent>(news => _core.Disconnected(news.RemoteAddress));
        Receive<ForgetIdle>(_ => _core.Forget(parts.IdleSession));
        Receive<DrainShard>(_ => _core.Drain());
        Receive<ResumeShard>(_ => _core.Undrain());
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    TimeSpan IShardOutlet.Now => _parts.Time.GetElapsedTime(_start);

    /// <inheritdoc/>
    void IShardOutlet.Send(IActorRef receiver, object message)
    {
        // What says that a hop is there is not held up, so that none is taken for lost; but messages to one actor keep their order.
        if (_parts.SendDelay == TimeSpan.Zero || !(IsComputed(message) || _late.Any(late => late.Receiver.Equals(receiver))))
        {
            receiver.Tell(message);
            return;
        }

        _late.Enqueue((_parts.Time.GetElapsedTime(_start) + _parts.SendDelay, receiver, message));
        if (_late.Count == 1)
        {
            SendLateIn(_parts.SendDelay);
        }
    }

    /// <inheritdoc/>
    void IShardOutlet.Watch(IActorRef pipeline) => Context.Watch(pipeline);

    /// <inheritdoc/>
    void IShardOutlet.Unwatch(IActorRef pipeline) => Context.Unwatch(pipeline);

    /// <inheritdoc/>
    bool IShardOutlet.TryCompute(IComputeJob batch) => _parts.Worker.TryEnqueue(batch);

    /// <inheritdoc/>
    void IShardOutlet.Warn(SessionFailure failure) => _log.Warning("Session {0} failed: {1}", failure.Session, failure.Problem);

    /// <inheritdoc/>
    void IShardOutlet.Drained() => Context.Parent.Tell(new ShardDrained(Self));

    /// <inheritdoc/>
    protected override void PreStart()
    {
        Context.System.EventStream.Subscribe(Self, typeof(DisassociatedEvent));
        Timers.StartPeriodicTimer(nameof(ForgetIdle), ForgetIdle.Instance, TimeSpan.FromTicks(Math.Max(_parts.IdleSession.Ticks / 4, TimeSpan.TicksPerMillisecond)));
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        Context.System.EventStream.Unsubscribe(Self);
        _lateTimer?.Dispose();

        // Behind whatever computes now, so that nothing is taken away from under it.
        var (parts, table, sessions) = (_parts, _sessions, _core.Holding());
        if (!parts.Worker.TryEnqueue(new ComputeJob(_ => Release(parts, table, sessions))))
        {
            _log.Error("The compute thread is gone before its shard of {0}.", parts.Model.Short);
        }
    }

    private static bool IsComputed(object message) => message is FeedHidden or TokenSampled or RowsComputed or SequenceEncoded;

    private void SendLate()
    {
        var now = _parts.Time.GetElapsedTime(_start);
        while (_late.TryPeek(out var next) && next.Due <= now)
        {
            _late.Dequeue();
            next.Receiver.Tell(next.Message);
        }

        if (_late.TryPeek(out var later))
        {
            SendLateIn(later.Due - now);
        }
    }

    /// <summary>By the clock's own timer: that of Akka's scheduler goes in long steps, which would count as delay.</summary>
    private void SendLateIn(TimeSpan time)
    {
        var self = Self;
        _lateTimer ??= _parts.Time.CreateTimer(_ => self.Tell(Layers.SendLate.Instance, ActorRefs.NoSender), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _lateTimer.Change(time, Timeout.InfiniteTimeSpan);
    }

    private void Seal(SealReceipts message)
    {
        if (_parts.Saboteur?.ToSigning() == ChallengeReply.Forget)
        {
            _core.Lose(message, Sender);
        }
        else
        {
            _core.Seal(message, Sender);
        }
    }

    private void Open(ISessionMessage message)
    {
        switch (_parts.Saboteur?.ToOpening())
        {
            case ChallengeReply.Refuse:
                _core.Refuse(message, Sender);
                break;
            case ChallengeReply.Late:
                Timers.StartSingleTimer(new object(), new OpenLate(message, Sender), _parts.Saboteur!.Behavior.OpeningDelay);
                break;
            case ChallengeReply.Forget:
                _core.Lose(message, Sender);
                break;
            default:
                _core.Open(message, Sender);
                break;
        }
    }

    private static void Release(LayerShardParts parts, SessionTable table, IEnumerable<ShardSession> sessions)
    {
        foreach (var session in sessions)
        {
            session.Cache?.Dispose();
            table.Release(session);
        }

        table.ForgetPages();
        parts.Shard.Dispose();
        parts.Released();
    }
}
