using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// What becomes of a hop that does not take what the hop before sent: its word is no proof, so the one before is asked to open what it
/// gave. What cannot be is then its own; what can be contradicts the one that refused it.
/// </summary>
internal sealed partial class GenerationState
{
    private Refusal? _refusal;

    /// <summary>Whether it opens what a hop did not take.</summary>
    private bool IsAbout(KeptRows kept, IActorRef sender)
        => _phase == Phase.Asking && _refusal is { } refusal && kept.Session == _plan.Session && kept.Epoch == _current.Epoch && kept.Position == refusal.Position && !kept.Taken && sender.Equals(refusal.Giver.Shard);

    private void AskWhoSent(int hop, int position, string message, TimeSpan now)
    {
        if (_refusal is not null)
        {
            // One at a time: this route is left in any case.
            return;
        }

        var (giver, taker) = (_current.Route.Hops[hop - 1], _current.Route.Hops[hop]);
        _trouble = $"{_plan.Describe(giver)}: the next hop does not take what it sent: {message}";
        if (_audit is null)
        {
            // Nobody is checked here: the devices are believed, and this one says that it is not the other one's fault.
            Leave(taker, null);
            _troubles.Fail(giver.Shard, times: 1);
            Leave(giver, WorkOutcome.Failed);
            Recover(now);
            return;
        }

        _refusal = new Refusal(giver, taker, position, message, now + _plan.Audit!.Settings.OpeningDeadline);
        _phase = Phase.Asking;
        AskAgain(now);
    }

    private void AskAgain(TimeSpan now)
    {
        var refusal = _refusal!;
        _commands.Add(new TellShard(refusal.Giver.Shard, new FetchKept(_plan.Session, _current.Epoch, refusal.Position, 1)));
        Deadline = Min(refusal.Until, now + _plan.Limits.ProbeDeadline);
    }

    private void AskLate(TimeSpan now)
    {
        if (now < _refusal!.Until)
        {
            AskAgain(now);
            return;
        }

        _audit!.Unopened(_refusal.Giver, _refusal.Position, _refusal.Taker.Device);
        Leave(_refusal, "it does not open what it signed.", now);
    }

    /// <summary>The hop before says what it gave.</summary>
    private List<PipelineCommand> Opened(KeptRows kept, TimeSpan now)
    {
        _commands.Clear();
        var refusal = _refusal!;
        if (kept.Rows != 1 || kept.Hidden.Length != _plan.Model.HiddenSize)
        {
            // It may have forgotten for want of memory, which is no lie; others can compute it again.
            Leave(refusal, "it does not have any more what the next hop did not take.", now);
        }
        else if (Activations.FirstUnsound(kept.Hidden.Span, _plan.Model.HiddenSize) >= 0)
        {
            _audit!.Unsound(refusal.Giver, refusal.Taker.Device, kept);
            Leave(refusal, "it gave a value that is not finite, or larger than any model's.", now);
        }
        else
        {
            // It sent something else, or the other one refuses what is right: who lies is in every such pair.
            _audit!.Contradicted(refusal.Giver, refusal.Taker, refusal.Position, kept.Hidden.Span);
            _troubles.Fail(refusal.Taker.Shard, times: 3);
            Leave(refusal, $"what it opens is not what the next hop says it sent: {refusal.Message}", now);
        }

        return _commands;
    }

    /// <summary>Goes on without the hop that gave it. The one that did not take it has closed the session.</summary>
    private void Leave(Refusal refusal, string reason, TimeSpan now)
    {
        _commands.Add(new Note($"does not believe {_plan.Describe(refusal.Giver)} from position {refusal.Position} on: {reason}"));
        _trouble = $"{_plan.Describe(refusal.Giver)}: {reason}";
        GoBack(refusal.Giver.Range.End, refusal.Position);
        _troubles.Fail(refusal.Giver.Shard, times: 3);
        Leave(refusal.Giver, WorkOutcome.Failed);
        Leave(refusal.Taker, null);
        Recover(now);
    }

    /// <summary>What one hop says of another.</summary>
    /// <param name="Giver">Who sent it.</param>
    /// <param name="Taker">Who did not take it.</param>
    /// <param name="Position">The position.</param>
    /// <param name="Message">Why, for people.</param>
    /// <param name="Until">How long the one who sent it has to open it.</param>
    private sealed record Refusal(Hop Giver, Hop Taker, int Position, string Message, TimeSpan Until);
}
