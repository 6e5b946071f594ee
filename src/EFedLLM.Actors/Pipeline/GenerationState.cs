using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// The course of one generation, without actors: events in, commands out. Times are on any clock that only grows. The returned list is
/// valid until the next call.
/// </summary>
internal sealed partial class GenerationState
{
    /// <summary>The epoch of a route that was never repaired.</summary>
    public const int Epoch = 1;

    private readonly GenerationPlan _plan;
    private readonly AnswerText _answer;
    private readonly List<PipelineCommand> _commands = [];
    private readonly bool[] _hasAnswered;
    private readonly long[] _microseconds;
    private readonly int _window;
    private Phase _phase = Phase.Opening;
    private int _fed;
    private int _computed;
    private int _generated;
    private bool _hasProbed;
    private TimeSpan _firstStep;
    private TimeSpan _firstToken;
    private TimeSpan _lastToken;

    /// <summary>A generation that has not begun.</summary>
    /// <param name="plan">What is settled about it.</param>
    /// <param name="answer">Its text.</param>
    public GenerationState(GenerationPlan plan, AnswerText answer)
    {
        (_plan, _answer) = (plan, answer);
        _hasAnswered = new bool[Hops];
        _microseconds = new long[Hops];

        // Enough for every hop to have a chunk while one is on its way; more would only fill mailboxes.
        // An encoder computes nothing before it has everything.
        _window = IsEncoding ? int.MaxValue : plan.Limits.PromptChunk * Math.Min(Hops + 1, 4);
    }

    private enum Phase
    {
        Opening,
        Running,
        Probing,
        Ended,
    }

    /// <summary>When <see cref="DeadlinePassed"/> is due, unless something happens before; null when it is over.</summary>
    public TimeSpan? Deadline { get; private set; }

    private int Hops => _plan.Route.Hops.Length;

    /// <summary>Begins: opens the session on every hop.</summary>
    public IReadOnlyList<PipelineCommand> Start(TimeSpan now)
    {
        _commands.Clear();
        Ask();
        Deadline = now + _plan.Limits.OpenDeadline;
        return _commands;
    }

    /// <summary>A hop is ready, or still there.</summary>
    public IReadOnlyList<PipelineCommand> Opened(int hop, TimeSpan now)
    {
        _commands.Clear();
        if (_phase is not (Phase.Opening or Phase.Probing) || _hasAnswered[hop])
        {
            return _commands;
        }

        _hasAnswered[hop] = true;
        if (!_hasAnswered.All(answered => answered))
        {
            return _commands;
        }

        if (_phase == Phase.Opening)
        {
            _firstStep = now;
            _commands.Add(new TellClient(new GenerationStarted(
                _plan.Prompt,
                _plan.Session,
                _plan.Model.Model,
                _plan.Model.Name,
                _plan.Tokens,
                [.. _plan.Route.Hops.Select(hop => new HopDescription(hop.Device, hop.Shard.Path.Address.ToString(), hop.Range))])));
            FeedPrompt();
        }

        Progress(now);
        return _commands;
    }

    /// <summary>A hop does not take the session.</summary>
    public IReadOnlyList<PipelineCommand> Refused(int hop, RefusalReason reason, string message)
    {
        _commands.Clear();
        switch (_phase)
        {
            case Phase.Opening when reason == RefusalReason.Invalid:
                Fail(GenerationError.Internal, $"{Upper(_plan.Describe(hop))} refuses the session: {message}", hop, null);
                break;
            case Phase.Opening:
                TurnAway(hop, reason, $"{Upper(_plan.Describe(hop))} refuses the session: {message}");
                break;
            case Phase.Probing:
                Lose(hop, $"it has the session no more: {message}", WorkOutcome.Failed);
                break;
            default:
                break;
        }

        return _commands;
    }

    /// <summary>The head computed positions without a draw.</summary>
    public IReadOnlyList<PipelineCommand> Computed(RowsComputed message, TimeSpan now)
    {
        _commands.Clear();
        if (_phase is not (Phase.Running or Phase.Probing) || message.Position != _computed || message.HopMicroseconds.Length != Hops)
        {
            return _commands;
        }

        if (message.Rows < 1 || message.Rows > Math.Min(_fed, _plan.Tokens.Length - 1) - _computed)
        {
            Lose(Hops - 1, "it says that it computed positions it was never given.", WorkOutcome.Failed);
            return _commands;
        }

        if (!Scores(message))
        {
            Lose(Hops - 1, "it scores other tokens than those of the prompt.", WorkOutcome.Failed);
            return _commands;
        }

        _computed += message.Rows;
        Count(message.HopMicroseconds);
        if (_plan.Settings.MaxTokens == 0 && _computed == _plan.FedTokens)
        {
            Finish(FinishReason.Length, "", now);
            return _commands;
        }

        FeedPrompt();
        Progress(now);
        return _commands;
    }

    /// <summary>The head drew a token.</summary>
    public IReadOnlyList<PipelineCommand> Sampled(TokenSampled message, TimeSpan now)
    {
        _commands.Clear();
        var expected = _plan.Tokens.Length + _generated;
        if (_phase is not (Phase.Running or Phase.Probing) || message.Position < expected)
        {
            return _commands;
        }

        if (IsEncoding || message.Position > expected || _fed < expected || message.Choice.Id < 0 || message.Choice.Id >= _plan.VocabularySize || message.HopMicroseconds.Length != Hops)
        {
            Lose(Hops - 1, "it drew a token that was not asked for or does not exist.", WorkOutcome.Failed);
            return _commands;
        }

        _computed = message.Position;
        Count(message.HopMicroseconds);
        var transport = _generated == 0 ? 0 : Transport(now - _lastToken, message.HopMicroseconds);
        _firstToken = _generated == 0 ? now : _firstToken;
        _lastToken = now;
        var text = _answer.Append(message.Choice.Id);
        var told = new TellClient(new TokenGenerated(_plan.Prompt, _generated, message.Choice, text, transport));
        _generated++;
        if (_answer.Finished is { } reason)
        {
            _commands.Add(told);
            Finish(reason, "", now);
            return _commands;
        }

        // The hops first: whoever asked reads while they compute.
        _commands.Add(new FeedRoute(new FeedTokens(_plan.Session, Epoch, message.Position, [message.Choice.Id], Sample: true)));
        _commands.Add(told);
        _fed = message.Position + 1;
        Progress(now);
        return _commands;
    }

    /// <summary>A hop did not accept a step.</summary>
    public IReadOnlyList<PipelineCommand> Rejected(int hop, StepRejected message)
    {
        _commands.Clear();

        // A hop that has the position already got the message twice: no harm is done.
        if (_phase is Phase.Running or Phase.Probing && message.KvLength <= message.Position)
        {
            Lose(hop, $"it got position {message.Position} and has only {message.KvLength}: something was lost on the way.", null);
        }

        return _commands;
    }

    /// <summary>A hop cannot go on.</summary>
    public IReadOnlyList<PipelineCommand> Failed(int hop, string message)
    {
        _commands.Clear();
        if (_phase is Phase.Running or Phase.Probing)
        {
            Lose(hop, message, WorkOutcome.Failed);
        }
        else if (_phase == Phase.Opening)
        {
            TurnAway(hop, RefusalReason.Leaving, $"{Upper(_plan.Describe(hop))} gave the session up: {message}");
        }

        return _commands;
    }

    /// <summary>A hop's actor or node is gone.</summary>
    public IReadOnlyList<PipelineCommand> HopGone(int hop)
    {
        _commands.Clear();
        if (_phase == Phase.Opening)
        {
            TurnAway(hop, RefusalReason.Leaving, $"{Upper(_plan.Describe(hop))} is gone.");
        }
        else if (_phase != Phase.Ended)
        {
            Lose(hop, "it is gone.", WorkOutcome.TimedOut);
        }

        return _commands;
    }

    /// <summary>A hop's node does not answer heartbeats: asks all hops at once instead of waiting for the deadline.</summary>
    public IReadOnlyList<PipelineCommand> Suspect(TimeSpan now)
    {
        _commands.Clear();
        if (_phase == Phase.Running)
        {
            Probe(now);
        }

        return _commands;
    }

    /// <summary><see cref="Deadline"/> has passed.</summary>
    public IReadOnlyList<PipelineCommand> DeadlinePassed(TimeSpan now)
    {
        _commands.Clear();
        switch (_phase)
        {
            case Phase.Opening or Phase.Probing:
                var silent = Array.IndexOf(_hasAnswered, false);
                Lose(silent, $"it does not answer within {(_phase == Phase.Opening ? _plan.Limits.OpenDeadline : _plan.Limits.ProbeDeadline).TotalSeconds:0.###} s.", WorkOutcome.TimedOut);
                break;
            case Phase.Running when !_hasProbed:
                Probe(now);
                break;
            case Phase.Running:
                Fail(
                    GenerationError.HopLost,
                    $"All {Hops} hops answer, but position {_computed} does not come out of them: it was lost on the way, or a device is stuck. Ask again.",
                    null,
                    null);
                break;
            default:
                break;
        }

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

    private static string Upper(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static double Transport(TimeSpan step, ImmutableArray<int> microseconds)
        => Math.Max(0, step.TotalMilliseconds - microseconds.Sum(time => time / 1000.0));

    private void Ask()
    {
        Array.Clear(_hasAnswered);
        for (var hop = 0; hop < Hops; hop++)
        {
            _commands.Add(new OpenHop(hop));
        }
    }

    private void Probe(TimeSpan now)
    {
        // A hop that has the session says so again; one that is stuck or gone says nothing.
        (_phase, _hasProbed) = (Phase.Probing, true);
        Ask();
        Deadline = now + _plan.Limits.ProbeDeadline;
    }

    private void Progress(TimeSpan now)
    {
        _phase = Phase.Running;
        Deadline = now + _plan.Limits.StepDeadline + ((_fed - _computed) * _plan.Limits.RowDeadline);
    }

    private void FeedPrompt()
    {
        var prompt = _plan.FedTokens;
        while (_fed < prompt && _fed - _computed < _window)
        {
            var count = Math.Min(_plan.Limits.PromptChunk, prompt - _fed);
            _commands.Add(new FeedRoute(new FeedTokens(_plan.Session, Epoch, _fed, _plan.Tokens.Slice(_fed, count), _fed + count == prompt && _plan.Settings.MaxTokens > 0)));
            _fed += count;
        }
    }

    private void Count(ImmutableArray<int> microseconds)
    {
        _hasProbed = false;
        for (var hop = 0; hop < Hops; hop++)
        {
            _microseconds[hop] += microseconds[hop];
        }
    }

    private void TurnAway(int hop, RefusalReason reason, string message)
    {
        CloseAll(except: hop);
        End(new HopRefusal(_plan.Route.Hops[hop].Device, reason, message));
    }

    private void Lose(int hop, string what, WorkOutcome? outcome)
        => Fail(GenerationError.HopLost, $"The answer broke off at {_plan.Describe(hop)}: {what} Ask again.", hop, outcome);

    private void Fail(GenerationError error, string message, int? hop, WorkOutcome? outcome)
    {
        // A hop that is only silent may still hold the session.
        CloseAll(except: null);
        Report(hop, outcome);
        _commands.Add(new TellClient(new GenerationFailed(_plan.Prompt, error, message)));
        End(null);
    }

    private void Finish(FinishReason reason, string text, TimeSpan now)
    {
        CloseAll(except: null);
        Report(null, null);
        var prefill = _generated > 0 ? _firstToken - _firstStep : _phase == Phase.Opening ? TimeSpan.Zero : now - _firstStep;
        _commands.Add(new TellClient(new GenerationFinished(_plan.Prompt, reason, text, new GenerationTiming(
            _plan.Tokens.Length,
            _generated,
            ((_phase == Phase.Opening ? now : _firstStep) - _plan.Arrived).TotalMilliseconds,
            prefill.TotalMilliseconds,
            (_lastToken - _firstToken).TotalMilliseconds,
            [.. _microseconds.Select(microseconds => microseconds / 1000.0)]))));
        End(null);
    }

    private void Report(int? guilty, WorkOutcome? outcome)
    {
        for (var hop = 0; hop < Hops; hop++)
        {
            var isGuilty = hop == guilty && outcome is not null;
            if (isGuilty || _computed > 0)
            {
                var (device, range, _) = _plan.Route.Hops[hop];
                _commands.Add(new ReportWork(new WorkReport(
                    device, _plan.Session, _plan.Model.Model, range, isGuilty ? outcome!.Value : WorkOutcome.Served, _computed)));
            }
        }
    }

    private void CloseAll(int? except)
    {
        for (var hop = 0; hop < Hops; hop++)
        {
            if (hop != except)
            {
                _commands.Add(new CloseHop(hop));
            }
        }
    }

    private void End(HopRefusal? refusal)
    {
        (_phase, Deadline) = (Phase.Ended, null);
        _commands.Add(new EndPipeline(refusal));
    }
}
