using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using Akka.Remote;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// One session: opens it on every hop of its route, feeds the prompt, and streams what the head draws to whoever asked. What it decides is in
/// <see cref="GenerationState"/>. What is reported at one moment is reported as one, behind the proofs that it names; and whoever asked hears
/// the end when all of it is on disk.
/// </summary>
internal sealed class InferencePipeline : ReceiveActor, IWithTimers
{
    // Nobody waits longer than that for a disk.
    private static readonly TimeSpan KeepPatience = TimeSpan.FromSeconds(2);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly GenerationPlan _plan;
    private readonly GenerationState _state;
    private readonly IActorRef _client;
    private readonly IActorRef _reporter;
    private readonly IActorRef _judge;
    private readonly ProofStore? _proofs;
    private readonly TimeProvider _time;
    private readonly Dictionary<SessionId, int> _checkedUnits = [];
    private readonly List<WorkReports> _unproven = []; // reports that wait until the proofs that they name are on disk
    private readonly List<IEvent> _last = []; // what whoever asked hears when the reports are on disk
    private TimeSpan? _timer;
    private int _unkept;

    /// <summary>A pipeline that begins at once. It is to be sent every <see cref="ClusterView"/>.</summary>
    /// <param name="plan">What is settled about the generation; its <see cref="GenerationPlan.Arrived"/> counts from the time provider's zero.</param>
    /// <param name="answer">The answer's text.</param>
    /// <param name="client">Who asked.</param>
    /// <param name="reporter">Takes <see cref="WorkReports"/>.</param>
    /// <param name="judge">Takes <see cref="LendJudge"/>; nobody where there is none.</param>
    /// <param name="proofs">Keeps what proves a verdict; null where nothing is kept.</param>
    /// <param name="time">The clock.</param>
    public InferencePipeline(GenerationPlan plan, AnswerText answer, IActorRef client, IActorRef reporter, IActorRef judge, ProofStore? proofs, TimeProvider time)
    {
        (_plan, _client, _reporter, _judge, _proofs, _time) = (plan, client, reporter, judge, proofs, time);
        _state = new GenerationState(plan, answer);

        Receive<ISessionMessage>(message =>
        {
            Clock(message);
            Do(_state.Hear(message, Sender, Now));
        });
        Receive<Terminated>(message => Do(_state.HopGone(message.ActorRef, Now)));
        Receive<ClusterView>(view => Do(_state.Look(view, Now)));
        Receive<DisassociatedEvent>(news => Do(_state.Disconnected(news.RemoteAddress, Now)));
        Receive<AssociationErrorEvent>(news => Do(_state.Disconnected(news.RemoteAddress, Now)));
        Receive<JudgeLent>(message => Do(_state.Judge(message, Now)));
        Receive<CheckDeadline>(_ => Check());
        Receive<CancelPipeline>(_ => Do(_state.Cancel(Now)));
        Receive<ProofsKept>(message => Tell(message.Reports));
        Receive<WorkReportsKept>(_ => _unkept--);
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _time.GetElapsedTime(0);

    /// <inheritdoc/>
    protected override void PreStart()
    {
        // The socket of a process that dies closes at once: long before its heartbeats are missed.
        Context.System.EventStream.Subscribe(Self, typeof(DisassociatedEvent));
        Context.System.EventStream.Subscribe(Self, typeof(AssociationErrorEvent));
        Do(_state.Start(Now));
    }

    /// <inheritdoc/>
    protected override void PostStop() => Context.System.EventStream.Unsubscribe(Self);

    private void Check()
    {
        _timer = null;
        if (_state.Wake is { } deadline && deadline <= Now)
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
        var end = commands is [.., EndPipeline last] ? last : null;
        ImmutableArray<WorkReport>.Builder? reports = null;
        var isProven = false;
        foreach (var command in commands)
        {
            switch (command)
            {
                case FeedRoute feed:
                    WorkMeters.AddServed((long)feed.Message.Tokens.Length * _state.Route.Hops[^1].Range.End);
                    _state.Route.Hops[0].Shard.Tell(feed.Message);
                    break;
                case Note note:
                    _log.Info("Session {0} {1}", _plan.Session, note.Text);
                    break;
                case TellClient tell when end is null:
                    _client.Tell(tell.Event);
                    break;
                case TellClient tell:
                    _last.Add(tell.Event);
                    break;
                case OpenHop open:
                    var hop = open.Route.Hops[open.Hop].Shard;
                    Context.Watch(hop);
                    hop.Tell(_plan.Open(open, Self));
                    break;
                case ResumeRoute resume:
                    _state.Route.Hops[0].Shard.Tell(resume.Message);
                    break;
                case CloseHop close:
                    close.Hop.Shard.Tell(new CloseSession(_plan.Session, close.Epoch, close.Pages));
                    break;
                case OpenCheck check:
                    _checkedUnits[check.Run.Session] = check.Run.Verifier.Range.Count;
                    Context.Watch(check.Run.Verifier.Shard);
                    check.Run.Verifier.Shard.Tell(_plan.Open(check, Self));
                    break;
                case TellShard tell:
                    Count(tell.Message);
                    tell.Shard.Tell(tell.Message);
                    break;
                case LendJudge lend:
                    _judge.Tell(lend);
                    break;
                case KeepProof keep:
                    _proofs?.KeepSoon(keep.Bytes);
                    isProven = true;
                    break;
                case ReportCheck check:
                    (reports ??= ImmutableArray.CreateBuilder<WorkReport>()).Add(_state.Checked(check));
                    break;
                case ReportWork work:
                    (reports ??= ImmutableArray.CreateBuilder<WorkReport>()).Add(work.Report);
                    break;
                case EndPipeline:
                    break;
                default:
                    throw new InvalidOperationException($"{command.GetType().Name} is no command of a pipeline.");
            }
        }

        if (reports is not null)
        {
            Report(new WorkReports(reports.ToImmutable()), isProven);
        }

        if (end is not null)
        {
            End(end);
        }
        else
        {
            Schedule();
        }
    }

    private void Report(WorkReports reports, bool isProven)
    {
        _unkept++;
        _unproven.Add(reports);
        if (_proofs is not null && (isProven || _unproven.Count > 1))
        {
            // One that names no proof does not overtake one that does.
            _proofs.Written.PipeTo(Self, success: () => new ProofsKept(reports));
        }
        else
        {
            Tell(reports);
        }
    }

    private void Tell(WorkReports reports)
    {
        if (_unproven.Remove(reports))
        {
            _reporter.Tell(reports);
        }
    }

    /// <summary>Nothing is decided any more: what is left to do is to tell whoever asked, when what is reported is on disk.</summary>
    private void End(EndPipeline end)
    {
        if (_unkept == 0)
        {
            Leave(end);
            return;
        }

        Timers.StartSingleTimer(nameof(KeepingLate), KeepingLate.Instance, KeepPatience);
        Become(() =>
        {
            Receive<ProofsKept>(message => Tell(message.Reports));
            Receive<WorkReportsKept>(_ =>
            {
                if (--_unkept == 0)
                {
                    Leave(end);
                }
            });
            Receive<KeepingLate>(_ =>
            {
                _log.Warning("What session {0} reports to the ledger is not on disk within {1} s.", _plan.Session, KeepPatience.TotalSeconds);
                _unproven.ToList().ForEach(Tell);
                Leave(end);
            });
            ReceiveAny(_ => { });
        });
    }

    private void Leave(EndPipeline end)
    {
        _last.ForEach(told => _client.Tell(told));
        Context.Parent.Tell(new PipelineEnded(_plan.Prompt, end.Refusal));
        Context.Stop(Self);
    }

    private void Count(ISessionMessage message)
    {
        if (message is CloseSession && _checkedUnits.Remove(message.Session))
        {
            return;
        }

        var rows = message switch { FeedTokens feed => feed.Tokens.Length, FeedHidden feed => feed.Rows, _ => 0 };
        if (rows > 0 && _checkedUnits.TryGetValue(message.Session, out var units))
        {
            WorkMeters.AddRecomputed((long)rows * units);
        }
    }

    private static void Clock(ISessionMessage message)
    {
        switch (message)
        {
            case UnitRecomputed unit:
                WorkMeters.AddCheckingTime(unit.Microseconds);
                break;
            case RowsComputed rows:
                WorkMeters.AddServingTime(Sum(rows.HopMicroseconds));
                break;
            case TokenSampled token:
                WorkMeters.AddServingTime(Sum(token.HopMicroseconds));
                break;
            case SequenceEncoded sequence:
                WorkMeters.AddServingTime(Sum(sequence.HopMicroseconds));
                break;
            default:
                break;
        }

        static long Sum(ImmutableArray<int> hops) => hops.Sum(microseconds => (long)microseconds);
    }

    /// <summary>One timer runs at a time; progress only moves the deadline on, which the timer finds out when it rings.</summary>
    private void Schedule()
    {
        if (_state.Wake is { } deadline && (_timer is null || deadline < _timer))
        {
            _timer = deadline;
            var wait = deadline - Now;
            Timers.StartSingleTimer(nameof(CheckDeadline), CheckDeadline.Instance, wait > TimeSpan.FromMilliseconds(1) ? wait : TimeSpan.FromMilliseconds(1));
        }
    }

    /// <summary>The proofs that reports name are on disk, or cannot be.</summary>
    private sealed record ProofsKept(WorkReports Reports) : INoSerializationVerificationNeeded;

    private sealed record KeepingLate : INoSerializationVerificationNeeded
    {
        public static KeepingLate Instance { get; } = new();
    }
}
