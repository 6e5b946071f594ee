using System.Collections.Immutable;
using System.Security.Cryptography;
using Akka;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Gateway;

/// <summary>
/// Takes prompts, and answers each sender with a stream of events (see <see cref="Prompt"/>). A prompt gets a place or waits for one,
/// is encoded off the dispatcher, waits for a route, and is then in the hands of an <see cref="InferencePipeline"/>.
/// </summary>
internal sealed class GatewayActor : ReceiveActor, IWithTimers
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly ClusterId _cluster = NodeIdentity.ClusterOf(Context.System);
    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(PrefixChain.SecretBytes);
    private readonly GatewaySettings _settings;
    private readonly AdmissionQueue<PromptEntry> _places;
    private readonly Dictionary<PromptId, PromptEntry> _entries = [];
    private ClusterView? _view;
    private IActorRef? _drainer;
    private bool _isDraining;

    /// <summary>A gateway without prompts.</summary>
    public GatewayActor(GatewaySettings settings)
    {
        _settings = settings;
        _places = new AdmissionQueue<PromptEntry>(settings.Limits.GatewayMaxSessions, settings.Limits.MaxQueued);

        Receive<Prompt>(Accept);
        Receive<CancelGeneration>(message => Cancel(message.Id, Sender));
        Receive<PromptEncoded>(message => Encoded(message.Entry, message.Encoded));
        Receive<PromptNotEncoded>(message =>
        {
            _log.Error(message.Error, "Encoding the prompt {0} failed.", message.Entry.Prompt.Id);
            if (IsHere(message.Entry))
            {
                Fail(message.Entry.Prompt.Id, GenerationError.Internal, "The prompt could not be encoded; the gateway's log has more.");
            }
        });
        Receive<PipelineEnded>(message => Ended(message, Sender));
        Receive<ClusterView>(Look);
        Receive<RetryRoute>(message => Route(message.Prompt));
        Receive<WaitingOver>(message => GiveUp(message.Prompt));
        Receive<Terminated>(message => Gone(message.ActorRef));
        Receive<DrainGateway>(_ =>
        {
            (_isDraining, _drainer) = (true, Sender);
            SayDrained();
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _settings.Time.GetElapsedTime(0);

    /// <inheritdoc/>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Stop);

    /// <inheritdoc/>
    protected override void PreStart() => _settings.View.Tell(new SubscribeView(Self));

    private void Accept(Prompt prompt)
    {
        var client = Sender;
        if (client.IsNobody() || client.Equals(Context.System.DeadLetters))
        {
            _log.Warning("The prompt {0} has no sender to answer to.", prompt.Id);
            return;
        }

        if (Refusal(prompt) is var (error, problem))
        {
            client.Tell(new GenerationFailed(prompt.Id, error, problem));
            return;
        }

        var entry = new PromptEntry(prompt, Model(prompt.Model)!, client, Now);
        var admission = _places.Enter(entry);
        if (admission == Admission.Refused)
        {
            client.Tell(new GenerationFailed(
                prompt.Id, GenerationError.Overloaded, $"{_places.Taken} generations run and {_places.Waiting} prompts wait at this gateway; no more are taken. Ask again later."));
            return;
        }

        _entries.Add(prompt.Id, entry);
        Context.Watch(client);
        if (admission == Admission.Queued)
        {
            Timers.StartSingleTimer((nameof(WaitingOver), prompt.Id), new WaitingOver(prompt.Id), _settings.Limits.QueueTimeout);
        }
        else
        {
            Encode(entry);
        }
    }

    private (GenerationError Error, string Problem)? Refusal(Prompt prompt)
    {
        if (_isDraining)
        {
            return (GenerationError.Overloaded, "This gateway is shutting down. Ask another one.");
        }

        if (_entries.ContainsKey(prompt.Id))
        {
            return (GenerationError.Invalid, $"A prompt with the id {prompt.Id} is being answered. Every prompt needs an id of its own.");
        }

        if (Model(prompt.Model) is null)
        {
            return (GenerationError.UnknownModel, $"There is no model '{prompt.Model}' here. There are: {string.Join(", ", _settings.Models.Select(model => model.Served.Name))}.");
        }

        var unfit = EncodingRules.Problem(prompt, Model(prompt.Model)!) ?? PromptEncoder.Problem(prompt, _settings.Limits);
        return unfit is null ? null : (GenerationError.Invalid, unfit);
    }

    private GatewayModel? Model(string? name) => name is null
        ? _settings.Models.Count > 0 ? _settings.Models[0] : null
        : _settings.Models.FirstOrDefault(model => model.Served.Name == name) ?? _settings.Models.FirstOrDefault(model => model.Served.Model.Value == name);

    private void Encode(PromptEntry entry)
    {
        Timers.Cancel((nameof(WaitingOver), entry.Prompt.Id));
        var (prompt, model, limits) = (entry.Prompt, entry.Model, _settings.Limits);
        var prefix = MayReuse(entry) ? PrefixChain.Begin(_secret, limits.PrefixSharing == PrefixSharing.All ? "" : prompt.Tenant, model.Served.Model) : null;
        Task.Run(() => PromptEncoder.Encode(model, prompt, limits, prefix))
            .PipeTo(Self, success: encoded => new PromptEncoded(entry, encoded), failure: error => new PromptNotEncoded(entry, error));
    }

    /// <summary>Whether hops may begin with what they kept of the same first tokens. Not where they sign: a receipt is needed of every position, and what it stands for.</summary>
    private bool MayReuse(PromptEntry entry) => _settings.Limits.PrefixSharing != PrefixSharing.Off
        && entry is { Prompt: { ScorePrompt: false, Verified: false, Output: SequenceOutput.None }, Model.Shape.Encoder: null } && !_settings.Trust.IsOn;

    /// <summary>Whether a prompt was not answered or cancelled meanwhile, perhaps to make room for another of the same id.</summary>
    private bool IsHere(PromptEntry entry) => _entries.TryGetValue(entry.Prompt.Id, out var present) && ReferenceEquals(present, entry);

    private void Encoded(PromptEntry entry, EncodedPrompt encoded)
    {
        if (!IsHere(entry))
        {
            return;
        }

        var id = entry.Prompt.Id;
        if (encoded.Problem is { } problem)
        {
            Fail(id, encoded.Error, problem);
            return;
        }

        entry.Encoded = encoded;
        entry.RoutingSince = Now;
        Timers.StartSingleTimer((nameof(WaitingOver), id), new WaitingOver(id), _settings.Limits.RouteTimeout);
        Route(id);
    }

    private void Route(PromptId id)
    {
        if (!_entries.TryGetValue(id, out var entry) || entry is not { Encoded: { } encoded, Pipeline: null })
        {
            return;
        }

        if (_view is null)
        {
            entry.Problem = "This gateway has not heard of the cluster yet.";
            return;
        }

        var session = SessionId.New();
        var choice = RoutePlanner.Plan(_view, entry.Model.Served, entry.Avoid, session);
        if (choice.Route is not { } route)
        {
            entry.Problem = entry.Avoid.Count == 0 ? choice.Problem! : entry.Problem;
            Pause(entry);
            return;
        }

        var plan = new GenerationPlan(
            id, session, entry.Model.Served, entry.Model.Shape.VocabularySize, route, encoded.Tokens, encoded.Settings, _settings.Limits, entry.Arrived,
            entry.Prompt.Output, entry.Model.Shape.OutputWidth(entry.Prompt.Output), entry.Prompt.ScorePrompt, Audit(entry.Prompt), entry.Model.Shape, entry.Prompt.Signed, encoded.Prefix, entry.Prompt.Drafts, _settings.Owner);
        var answer = new AnswerText(entry.Model.Tokenizer, encoded.Settings, entry.Model.Shape.EndTokens);
        var (client, reporter, judge, proofs, time) = (entry.Client, _settings.Reporter, plan.Audit is null ? ActorRefs.Nobody : JudgeOf(entry.Model), _settings.Proofs, _settings.Time);
        entry.Pipeline = Context.Watch(Context.ActorOf(Props.Create(() => new InferencePipeline(plan, answer, client, reporter, judge, proofs, time)), $"session-{plan.Session}"));
        entry.Pipeline.Tell(_view);
    }

    /// <summary>How the devices of a session are checked: whoever asks for a verified answer has it checked whatever the settings say.</summary>
    private AuditPlan? Audit(Prompt prompt) => _settings.Trust.IsOn || prompt.Verified
        ? new AuditPlan(_settings.Trust, _settings.Id, AuditDraw.NewNonce(), AuditDraw.NewNonce(), prompt.Verified, CanJudge: true, Cluster: _cluster)
        : null;

    private IActorRef JudgeOf(GatewayModel model)
    {
        var name = $"judge-{model.Served.Model.Value}";
        var (id, folder, limits, time) = (model.Served.Model, model.Folder, _settings.Limits, _settings.Time);
        return Context.Child(name) is var judge && !judge.IsNobody() ? judge : Context.ActorOf(Props.Create(() => new JudgeActor(id, folder, limits, time)), name);
    }

    /// <summary>Every way is closed. One that never was open opens with a change of the view; one that refused may open by itself.</summary>
    private void Pause(PromptEntry entry)
    {
        if (entry.Avoid.Count == 0)
        {
            return;
        }

        entry.Avoid.Clear();
        var pause = FirstPause * Math.Pow(2, Math.Min(entry.Pauses++, 10));
        Timers.StartSingleTimer((nameof(RetryRoute), entry.Prompt.Id), new RetryRoute(entry.Prompt.Id), pause < LongestPause ? pause : LongestPause);
    }

    private void Look(ClusterView view)
    {
        _view = view;
        foreach (var entry in _entries.Values.ToArray())
        {
            if (entry.Pipeline is { } pipeline)
            {
                pipeline.Tell(view);
            }
            else if (!Timers.IsTimerActive((nameof(RetryRoute), entry.Prompt.Id)))
            {
                Route(entry.Prompt.Id);
            }
        }
    }

    private void Ended(PipelineEnded message, IActorRef pipeline)
    {
        if (!_entries.TryGetValue(message.Prompt, out var entry) || !pipeline.Equals(entry.Pipeline))
        {
            return;
        }

        if (message.Refusal is not { } refusal)
        {
            Remove(entry);
            return;
        }

        (entry.Pipeline, entry.Problem) = (null, refusal.Message);
        entry.Avoid.Add(refusal.Device);
        if (refusal.Reason == RefusalReason.Full)
        {
            // As long as devices are full it waits as one that waits for a place does.
            entry.Full = refusal.Message;
            var left = entry.Arrived + _settings.Limits.QueueTimeout - Now;
            Timers.StartSingleTimer((nameof(WaitingOver), message.Prompt), new WaitingOver(message.Prompt), left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }

        Route(message.Prompt);
    }

    private void GiveUp(PromptId id)
    {
        if (!_entries.TryGetValue(id, out var entry) || entry.Pipeline is not null)
        {
            if (entry?.Pipeline is not null)
            {
                // An attempt is under way; should it fail, it was the last.
                Timers.StartSingleTimer((nameof(WaitingOver), id), new WaitingOver(id), LongestPause);
            }

            return;
        }

        if (entry.Full is { } full)
        {
            Fail(id, GenerationError.Overloaded, $"{full} Ask again later, or for fewer tokens.");
        }
        else if (entry.RoutingSince is not null)
        {
            Fail(id, GenerationError.NoRoute, $"{entry.Problem} Ask again when more devices have joined.");
        }
        else
        {
            Fail(id, GenerationError.Overloaded, $"The prompt waited {_settings.Limits.QueueTimeout.TotalSeconds:0.###} s for a place at this gateway. Ask again later.");
        }
    }

    private void Cancel(PromptId id, IActorRef sender)
    {
        if (!_entries.TryGetValue(id, out var entry) || !entry.Client.Equals(sender))
        {
            return;
        }

        if (entry.Pipeline is { } pipeline)
        {
            pipeline.Tell(CancelPipeline.Instance);
            return;
        }

        var timing = new GenerationTiming(entry.Encoded?.Tokens.Length ?? 0, 0, (Now - entry.Arrived).TotalMilliseconds, 0, 0, ImmutableArray<double>.Empty);
        entry.Client.Tell(new GenerationFinished(id, FinishReason.Cancelled, "", timing));
        Remove(entry);
    }

    private void Gone(IActorRef actor)
    {
        foreach (var entry in _entries.Values.ToArray())
        {
            if (actor.Equals(entry.Pipeline))
            {
                Fail(entry.Prompt.Id, GenerationError.Internal, "The session's pipeline failed; the gateway's log has more.");
            }
            else if (actor.Equals(entry.Client))
            {
                Cancel(entry.Prompt.Id, actor);
            }
        }
    }

    private void Fail(PromptId id, GenerationError error, string message)
    {
        if (_entries.TryGetValue(id, out var entry))
        {
            entry.Client.Tell(new GenerationFailed(id, error, message));
            Remove(entry);
        }
    }

    private void Remove(PromptEntry entry)
    {
        var id = entry.Prompt.Id;
        _entries.Remove(id);
        Timers.Cancel((nameof(WaitingOver), id));
        Timers.Cancel((nameof(RetryRoute), id));
        if (!_entries.Values.Any(other => other.Client.Equals(entry.Client)))
        {
            Context.Unwatch(entry.Client);
        }

        if (_places.Leave(entry) is { } next)
        {
            Encode(next);
        }

        SayDrained();
    }

    private void SayDrained()
    {
        if (_isDraining && _entries.Count == 0)
        {
            _drainer?.Tell(Done.Instance);
            _drainer = null;
        }
    }
}
