using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>One session: opens it on every hop of its route, feeds the prompt, and streams what the head draws to whoever asked. What it decides is in <see cref="GenerationState"/>.</summary>
internal sealed class InferencePipeline : ReceiveActor, IWithTimers
{
    private readonly GenerationPlan _plan;
    private readonly GenerationState _state;
    private readonly IActorRef _client;
    private readonly IActorRef _reporter;
    private readonly TimeProvider _time;
    private TimeSpan? _timer;

    /// <summary>A pipeline that begins at once.</summary>
    /// <param name="plan">What is settled about the generation; its <see cref="GenerationPlan.Arrived"/> counts from the time provider's zero.</param>
    /// <param name="answer">The answer's text.</param>
    /// <param name="client">Who asked.</param>
    /// <param name="reporter">Takes <see cref="WorkReport"/>.</param>
    /// <param name="time">The clock.</param>
    public InferencePipeline(GenerationPlan plan, AnswerText answer, IActorRef client, IActorRef reporter, TimeProvider time)
    {
        (_plan, _client, _reporter, _time) = (plan, client, reporter, time);
        _state = new GenerationState(plan, answer);

        Receive<TokenSampled>(message => OfHead(message, () => _state.Sampled(message, Now)));
        Receive<SequenceEncoded>(message => OfHead(message, () => _state.Encoded(message, Now)));
        Receive<RowsComputed>(message => OfHead(message, () => _state.Computed(message, Now)));
        Receive<SessionOpened>(message => OfHop(message, message.HopIndex, hop => _state.Opened(hop, Now)));
        Receive<SessionRefused>(message => OfHop(message, message.HopIndex, hop => _state.Refused(hop, message.Reason, message.Message)));
        Receive<StepRejected>(message => OfHop(message, message.HopIndex, hop => _state.Rejected(hop, message)));
        Receive<StepFailed>(message => OfHop(message, message.HopIndex, hop => _state.Failed(hop, message.Message)));
        Receive<Terminated>(message => Lost(message.ActorRef));
        Receive<ClusterView>(Look);
        Receive<CheckDeadline>(_ => Check());
        Receive<CancelPipeline>(_ => Do(_state.Cancel(Now)));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _time.GetElapsedTime(0);

    /// <inheritdoc/>
    protected override void PreStart()
    {
        foreach (var hop in _plan.Route.Hops)
        {
            Context.Watch(hop.Shard);
        }

        Do(_state.Start(Now));
    }

    private void OfHop(ISessionMessage message, int hop, Func<int, IReadOnlyList<PipelineCommand>> handle)
    {
        // What a hop says of itself counts, and nothing else.
        var hops = _plan.Route.Hops;
        if (message.Session == _plan.Session && message.Epoch == GenerationState.Epoch && hop >= 0 && hop < hops.Length && hops[hop].Shard.Equals(Sender))
        {
            Do(handle(hop));
        }
    }

    private void OfHead(ISessionMessage message, Func<IReadOnlyList<PipelineCommand>> handle)
        => OfHop(message, _plan.Route.Hops.Length - 1, _ => handle());

    private void Lost(IActorRef shard)
    {
        for (var hop = 0; hop < _plan.Route.Hops.Length; hop++)
        {
            if (_plan.Route.Hops[hop].Shard.Equals(shard))
            {
                Do(_state.HopGone(hop));
                return;
            }
        }
    }

    private void Look(ClusterView view)
    {
        var devices = view.Devices.ToDictionary(device => device.Device, device => device.Node);
        foreach (var hop in _plan.Route.Hops)
        {
            // The view tells of a silent node long before the node is given up for dead.
            if (devices.TryGetValue(hop.Device, out var node) && !view.IsReachable(node))
            {
                Do(_state.Suspect(Now));
                return;
            }
        }
    }

    private void Check()
    {
        _timer = null;
        if (_state.Deadline is { } deadline && deadline <= Now)
        {
            Do(_state.DeadlinePassed(Now));
        }
        else
        {
            Schedule();
        }
    }

    private void Do(IReadOnlyList<PipelineCommand> commands)
    {
        foreach (var command in commands)
        {
            switch (command)
            {
                case FeedRoute feed:
                    _plan.Route.Hops[0].Shard.Tell(feed.Message);
                    break;
                case TellClient tell:
                    _client.Tell(tell.Event);
                    break;
                case OpenHop open:
                    _plan.Route.Hops[open.Hop].Shard.Tell(new OpenSession(
                        _plan.Session, GenerationState.Epoch, _plan.Route, open.Hop, _plan.TokenLimit, _plan.Settings.Sampling, Self, _plan.Output,
                        _plan.ScorePrompt && open.Hop == _plan.Route.Hops.Length - 1 ? _plan.Tokens : []));
                    break;
                case CloseHop close:
                    _plan.Route.Hops[close.Hop].Shard.Tell(new CloseSession(_plan.Session, GenerationState.Epoch));
                    break;
                case ReportWork work:
                    _reporter.Tell(work.Report);
                    break;
                case EndPipeline end:
                    Context.Parent.Tell(new PipelineEnded(_plan.Prompt, end.Refusal));
                    Context.Stop(Self);
                    break;
                default:
                    throw new InvalidOperationException($"{command.GetType().Name} is no command of a pipeline.");
            }
        }

        Schedule();
    }

    /// <summary>One timer runs at a time; progress only moves the deadline on, which the timer finds out when it rings.</summary>
    private void Schedule()
    {
        if (_state.Deadline is { } deadline && (_timer is null || deadline < _timer))
        {
            _timer = deadline;
            var wait = deadline - Now;
            Timers.StartSingleTimer(nameof(CheckDeadline), CheckDeadline.Instance, wait > TimeSpan.FromMilliseconds(1) ? wait : TimeSpan.FromMilliseconds(1));
        }
    }
}
