using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// The course of one generation, without actors: events in, commands out. Times are on any clock that only grows. The returned list is
/// valid until the next call.
/// </summary>
internal sealed partial class GenerationState
{
    private readonly GenerationPlan _plan;
    private AnswerText _answer;
    private readonly List<PipelineCommand> _commands = [];
    private readonly List<int> _generated = [];
    private readonly List<TokenGenerated> _drawn = [];
    private readonly SessionOwners _owners = new();
    private readonly Drafter? _drafter;
    private readonly StepPace _pace;
    private Phase _phase = Phase.Opening;
    private RouteEpoch _current;
    private int _window;
    private int _fed;
    private int _computed;
    private int _reach;
    private int _furthest;
    private int _mostKnown;
    private bool _isStarted;
    private bool _hasProbed;
    private bool _isPaced;
    private TimeSpan _firstStep;
    private TimeSpan _firstToken;
    private TimeSpan _lastToken;

    /// <summary>A generation that has not begun.</summary>
    /// <param name="plan">What is settled about it.</param>
    /// <param name="answer">Its text.</param>
    public GenerationState(GenerationPlan plan, AnswerText answer)
    {
        (_plan, _answer, _pace) = (plan, answer, new StepPace(plan.Limits));
        _audit = plan.Audit is { } audit && !IsEncoding ? new SessionAudit(audit, plan, _owners, (from, count) => from + count <= Known ? Tokens(from, count) : [], _commands.Add) : null;
        _drafter = plan.MostDrafts > 0 && !IsEncoding ? new Drafter(plan.Tokens.AsSpan(), plan.MostDrafts) : null;
        _current = new RouteEpoch(plan.Route, 0);
        _mostKnown = plan.Tokens.Length;
    }

    private enum Phase
    {
        Opening,
        Running,
        Probing,
        Waiting,
        Checking,
        Asking,
        Ended,
    }

    /// <summary>When <see cref="DeadlinePassed"/> is due, unless something happens before; null when it is over.</summary>
    public TimeSpan? Deadline { get; private set; }

    /// <summary>The route that is used now.</summary>
    public Route Route => _current.Route;

    private int Hops => _current.Count;

    /// <summary>Tokens that are known: of the prompt and of the answer.</summary>
    private int Known => _plan.Tokens.Length + _generated.Count;

    /// <summary>Tokens that are computed on: where nothing is drawn after the last one of the prompt, it has nothing to say.</summary>
    private int Wanted => _plan.FedTokens + _generated.Count;

    /// <summary>Begins: opens the session on every hop.</summary>
    public IReadOnlyList<PipelineCommand> Start(TimeSpan now)
    {
        _commands.Clear();
        Begin(_plan.Route, now);
        return _commands;
    }

    /// <summary>A message of the session. What a hop of the route says of itself in its epoch counts, and nothing else.</summary>
    /// <param name="message">The message.</param>
    /// <param name="sender">Who sent it.</param>
    /// <param name="now">The time.</param>
    public IReadOnlyList<PipelineCommand> Hear(ISessionMessage message, IActorRef sender, TimeSpan now)
    {
        if (message is KeptRows kept && IsAbout(kept, sender))
        {
            return Opened(kept, now);
        }

        if (message.Session != _plan.Session || message is UnitSigned or ReceiptsSealed or KeptRows or CacheOpened)
        {
            return HearCheck(message, sender, now);
        }

        if (message is SessionMoving)
        {
            return Moving(sender, now);
        }

        if (message.Epoch != _current.Epoch)
        {
            _commands.Clear();
            if (_next is { } next && message.Epoch == next.Epoch)
            {
                HearNext(message, sender, now);
            }

            return _commands;
        }

        return message switch
        {
            TokenSampled drawn when _current.IsHead(sender) => Sampled(drawn, now),
            RowsComputed rows when _current.IsHead(sender) => Computed(rows, now),
            SequenceEncoded encoded when _current.IsHead(sender) => Encoded(encoded, now),
            SessionOpened opened when _current.Is(opened.HopIndex, sender) => Opened(opened.HopIndex, now, new HopStock(opened.KvLength, opened.KeptFrom)),
            SessionRefused refused when _current.Is(refused.HopIndex, sender) => Refused(refused.HopIndex, refused.Reason, refused.Message, now),
            StepRejected rejected when _current.Is(rejected.HopIndex, sender) => Rejected(rejected.HopIndex, rejected, now),
            StepFailed failed when _current.Is(failed.HopIndex, sender) => Failed(failed.HopIndex, failed.Message, now, failed.Refused, failed.Unsound),
            _ => [],
        };
    }

    /// <summary>A hop is ready, or still there.</summary>
    public IReadOnlyList<PipelineCommand> Opened(int hop, TimeSpan now, HopStock stock = default)
    {
        _commands.Clear();
        if (_phase is not (Phase.Opening or Phase.Probing))
        {
            return _commands;
        }

        if (_phase == Phase.Opening && (stock.KvLength > MostHeld || stock.KeptFrom > stock.KvLength))
        {
            Distrust(hop, "it says that it has positions it was never given.", now);
            return _commands;
        }

        if (!_current.Answer(hop, stock))
        {
            return _commands;
        }

        _suspects.Remove(_current.Route.Hops[hop].Shard);
        if (_current.IsComplete && _phase == Phase.Opening)
        {
            GoOn(now);
        }
        else if (_current.IsComplete)
        {
            Progress(now);
        }

        return _commands;
    }

    /// <summary>The head computed positions without a draw.</summary>
    public IReadOnlyList<PipelineCommand> Computed(RowsComputed message, TimeSpan now)
    {
        _commands.Clear();
        if (_phase is not (Phase.Running or Phase.Probing) || message.Position < _computed || message.HopMicroseconds.Length != Hops)
        {
            return _commands;
        }

        if (message.Rows < 1 || message.Rows > Math.Min(_reach, Known - 1) - message.Position)
        {
            Distrust(Hops - 1, "it says that it computed positions it was never given.", now);
            return _commands;
        }

        if (message.Position > _computed && IsScoring)
        {
            RecoverScores(now);
            return _commands;
        }

        if (!Scores(message))
        {
            Distrust(Hops - 1, "it scores other tokens than those of the prompt.", now);
            return _commands;
        }

        Advance(message.Position + message.Rows, message.HopMicroseconds);
        if (_plan.Settings.MaxTokens == 0 && _computed == _plan.FedTokens)
        {
            Finish(FinishReason.Length, "", now);
        }
        else if (!TakeMove(now))
        {
            Feed();
            Progress(now);
        }

        return _commands;
    }

    /// <summary>The head drew a token.</summary>
    public IReadOnlyList<PipelineCommand> Sampled(TokenSampled message, TimeSpan now)
    {
        _commands.Clear();
        if (_phase is not (Phase.Running or Phase.Probing) || message.Position < Known)
        {
            return _commands;
        }

        if (IsEncoding || message.Position > Known || _reach < Known || !Exists(message.Choice) || message.HopMicroseconds.Length != Hops || !IsBehindDrafts(message))
        {
            Distrust(Hops - 1, "it drew a token that was not asked for or does not exist.", now);
            return _commands;
        }

        if (IsScoring)
        {
            RecoverScores(now);
            return _commands;
        }

        var transport = _isPaced ? Transport(now - _lastToken, message.HopMicroseconds) : 0;
        if (_isPaced)
        {
            _pace.Took(now - _lastToken);
        }

        _isPaced = true;
        _firstToken = _generated.Count == 0 ? now : _firstToken;
        _lastToken = now;
        Take(message, transport);
        Advance(Known - 1, message.HopMicroseconds);
        _mostKnown = Math.Max(_mostKnown, Known);
        if (_answer.Finished is { } reason)
        {
            TellDrawn();
            Finish(reason, "", now);
            return _commands;
        }

        if (TakeMove(now))
        {
            TellDrawn();
            return _commands;
        }

        // The hops first: whoever asked reads while they compute.
        Feed();
        TellDrawn();
        Progress(now);
        return _commands;
    }

    /// <summary>Whoever asked wants no more.</summary>
    public IReadOnlyList<PipelineCommand> Cancel(TimeSpan now)
    {
        _commands.Clear();
        if (_phase != Phase.Ended)
        {
            Finish(FinishReason.Cancelled, _answer.End(FinishReason.Cancelled), now);
        }

        return _commands;
    }

    private static double Transport(TimeSpan step, ImmutableArray<int> microseconds)
        => Math.Max(0, step.TotalMilliseconds - microseconds.Sum(time => time / 1000.0));

    private static string Upper(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    /// <summary>Every hop is there: the first steps of the route, from where its hops go on.</summary>
    private void GoOn(TimeSpan now)
    {
        if (!_isStarted)
        {
            (_isStarted, _firstStep) = (true, now);
            _commands.Add(new TellClient(new GenerationStarted(
                _plan.Prompt,
                _plan.Session,
                _plan.Model.Model,
                _plan.Model.Name,
                _plan.Tokens,
                [.. _current.Route.Hops.Select(hop => new HopDescription(hop.Device, hop.Shard.Path.Address.ToString(), hop.Range))])));
        }

        // Enough for every hop to have a chunk while one is on its way; more would only fill mailboxes.
        // An encoder computes nothing before it has everything.
        _window = IsEncoding ? int.MaxValue : _plan.Limits.PromptChunk * Math.Min(Hops + 1, 4);
        var lowest = 0;
        (_fed, _computed, _reach, _isPaced) = (0, 0, 0, false);
        _drafter?.Drop();
        if (_current.Epoch == FirstEpoch && _plan.Prefix is not { Positions: > 0 })
        {
            _audit?.Resume(_current.Route, FirstEpoch, [.. Enumerable.Repeat(0, Hops)], Known - 1);
        }
        else
        {
            var starts = ReplayPlan.Starts(Believed(), Known, Lacking, _audit is null ? 1 : UnitCut.Rows);
            _audit?.Resume(_current.Route, _current.Epoch, starts, Known - 1);
            _commands.Add(new ResumeRoute(new ResumeSession(_plan.Session, _current.Epoch, starts, Known)));
            (_fed, _computed, _reach, lowest) = (starts[0], starts[^1], starts.Max(), starts.Min());
            _reused = _current.Epoch == FirstEpoch ? lowest : Math.Min(_reused, lowest);
            if (_current.Epoch > FirstEpoch)
            {
                _commands.Add(new Note($"goes on in epoch {_current.Epoch} over {Hops} hops, which keep {string.Join(", ", starts)} of {Known} positions."));
            }
        }

        _workers.UnionWith(_current.Route.Hops.Select(hop => hop.Shard));
        _troubleSince = null;
        Feed();
        _phase = Phase.Running;
        Deadline = now + _pace.Patience(Known - lowest, _hasProbed, _attempts);
    }

    private void Progress(TimeSpan now)
    {
        _phase = Phase.Running;
        Deadline = now + _pace.Patience(_fed - _computed, _hasProbed, _attempts);
    }

    private void Advance(int computed, ImmutableArray<int> microseconds)
    {
        (_computed, _hasProbed) = (computed, false);

        // What came through all hops came behind the message that takes them back.
        _doubts.Clear();
        if (computed > _furthest)
        {
            (_furthest, _attempts) = (computed, 0);
        }

        for (var hop = 0; hop < Hops; hop++)
        {
            _current.Microseconds[hop] += microseconds[hop];
        }
    }

    /// <summary>Feeds tokens that are known, as far as the hops are to have them now. The head draws after the last one that is known.</summary>
    private void Feed()
    {
        while (_fed < Wanted && _fed - _computed < _window)
        {
            var count = Math.Min(_plan.Limits.PromptChunk, Wanted - _fed);
            var drafts = Drafts();
            var tokens = drafts.IsEmpty ? Tokens(_fed, count) : [_generated[^1], .. drafts];
            _commands.Add(new FeedRoute(new FeedTokens(_plan.Session, _current.Epoch, _fed, tokens, _fed + count == Known, !drafts.IsEmpty)));
            _fed += tokens.Length;
        }

        _reach = Math.Max(_reach, _fed);
    }

    private ImmutableArray<int> Tokens(int from, int count)
    {
        var prompt = _plan.Tokens;
        if (from + count <= prompt.Length)
        {
            return prompt.Slice(from, count);
        }

        if (count == 1)
        {
            return [_generated[from - prompt.Length]];
        }

        var tokens = ImmutableArray.CreateBuilder<int>(count);
        for (var position = from; position < from + count; position++)
        {
            tokens.Add(position < prompt.Length ? prompt[position] : _generated[position - prompt.Length]);
        }

        return tokens.MoveToImmutable();
    }
}
