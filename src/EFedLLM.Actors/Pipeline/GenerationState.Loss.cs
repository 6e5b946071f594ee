using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>How a hop is lost: it refuses, fails, dies, falls silent, is excluded, or says what cannot be.</summary>
internal sealed partial class GenerationState
{
    /// <summary>So often something may be lost on the way to a hop before it is left alone for a while.</summary>
    private const int MostMisses = 8;

    private const string ExcludedText = "is excluded from the cluster: checks found that it computes wrong results.";

    /// <summary>A hop does not take the session.</summary>
    public IReadOnlyList<PipelineCommand> Refused(int hop, RefusalReason reason, string message, TimeSpan now)
    {
        _commands.Clear();
        var what = $"{Upper(_plan.Describe(_current.Route.Hops[hop]))} refuses the session: {message}";
        switch (_phase)
        {
            case Phase.Opening when _epoch == FirstEpoch && reason == RefusalReason.Invalid:
                Fail(GenerationError.Internal, what);
                break;
            case Phase.Opening when _epoch == FirstEpoch:
                TurnAway(hop, reason, what);
                break;
            case Phase.Opening:
                // It has done nothing wrong: perhaps it is full, or another session's range took its place.
                Lose(hop, $"it refuses the session: {message}", null, now);
                break;
            case Phase.Probing:
                Lose(hop, $"it has the session no more: {message}", WorkOutcome.Failed, now);
                break;
            default:
                break;
        }

        return _commands;
    }

    /// <summary>A hop did not accept a step.</summary>
    public IReadOnlyList<PipelineCommand> Rejected(int hop, StepRejected message, TimeSpan now)
    {
        _commands.Clear();

        // A hop that has the position already got the message twice: no harm is done.
        if (_phase is Phase.Running or Phase.Probing && message.KvLength <= message.Position)
        {
            var what = message.KvLength < message.Position ? $"it got position {message.Position} and has only {message.KvLength}." : "a connection between it and the next hop or the one before broke.";
            _trouble = $"{_plan.Describe(_current.Route.Hops[hop])}: {what}";
            if (_troubles.Miss(_current.Route.Hops[hop].Shard) % MostMisses == 0)
            {
                // Its connections are bad, or it says so: another may do better.
                Lose(hop, what, null, now);
            }
            else
            {
                Recover(now);
            }
        }

        return _commands;
    }

    /// <summary>A hop cannot go on, and has closed the session.</summary>
    /// <param name="hop">Its place.</param>
    /// <param name="message">Why, for people.</param>
    /// <param name="now">The time.</param>
    /// <param name="refused">The position of what the hop before sent and it cannot take; null where that is not why.</param>
    /// <param name="isUnsound">Whether what it computed is not finite.</param>
    public IReadOnlyList<PipelineCommand> Failed(int hop, string message, TimeSpan now, int? refused = null, bool isUnsound = false)
    {
        _commands.Clear();
        var lost = _current.Route.Hops[hop];
        if (_phase == Phase.Opening && _epoch == FirstEpoch)
        {
            TurnAway(hop, RefusalReason.Leaving, $"{Upper(_plan.Describe(lost))} gave the session up: {message}");
        }
        else if (_phase == Phase.Waiting)
        {
            _holders.Remove(lost.Shard);
        }
        else if (_phase is Phase.Running or Phase.Probing or Phase.Asking && hop > 0 && refused < _reach)
        {
            AskWhoSent(hop, refused.Value, message, now);
        }
        else if (_phase != Phase.Ended)
        {
            if (isUnsound)
            {
                _audit?.Overflowed(lost, _computed);
            }

            _troubles.Fail(lost.Shard, times: 1);
            Lose(hop, message, WorkOutcome.Failed, now);
        }

        return _commands;
    }

    /// <summary>A shard's actor or node is gone for good.</summary>
    public IReadOnlyList<PipelineCommand> HopGone(IActorRef shard, TimeSpan now)
    {
        _commands.Clear();
        _audit?.Gone(shard, now);
        _troubles.End(shard);
        _leaving.Remove(shard);
        if (_next is not null && _next.IndexOf(shard) >= 0)
        {
            CancelMove();
        }

        var hop = _current.IndexOf(shard);
        if (hop < 0 || _phase is Phase.Waiting or Phase.Ended)
        {
            _holders.Remove(shard);
        }
        else if (_phase == Phase.Opening && _epoch == FirstEpoch)
        {
            TurnAway(hop, RefusalReason.Leaving, $"{Upper(_plan.Describe(_current.Route.Hops[hop]))} is gone.");
        }
        else
        {
            Lose(hop, "it is gone.", WorkOutcome.TimedOut, now);
        }

        return _commands;
    }

    /// <summary>A node does not answer heartbeats: asks all hops at once instead of waiting for the deadline.</summary>
    public IReadOnlyList<PipelineCommand> Suspect(TimeSpan now)
    {
        _commands.Clear();
        if (_phase == Phase.Running)
        {
            Probe(now);
        }

        return _commands;
    }

    /// <summary>The connection to a node broke: its process may have died, and what was under way is lost in any case. Its hops are to answer soon.</summary>
    public IReadOnlyList<PipelineCommand> Disconnected(Address node, TimeSpan now)
    {
        _commands.Clear();
        _audit?.Disconnected(node, now);
        var affected = _current.Route.Hops.Where(hop => hop.Shard.Path.Address.Equals(node)).ToArray();
        if (affected.Length > 0 && _phase is Phase.Running or Phase.Probing or Phase.Checking or Phase.Asking)
        {
            _trouble = $"{_plan.Describe(affected[0])}: the connection to it broke.";
            _suspects.UnionWith(affected.Select(hop => hop.Shard));
            Recover(now);
        }
        else if (_phase == Phase.Opening)
        {
            Hurry(affected, now);
        }

        return _commands;
    }

    /// <summary>The cluster changed.</summary>
    public IReadOnlyList<PipelineCommand> Look(ClusterView view, TimeSpan now)
    {
        _commands.Clear();
        _view = view;
        _owners.Look(view);
        _audit?.Look(view, now);
        if (LeaveExcluded(now))
        {
            return _commands;
        }

        if (_phase == Phase.Waiting && now >= _notBefore)
        {
            TryRoute(now);
        }
        else if (_phase is Phase.Running or Phase.Opening)
        {
            // The view tells of a silent node long before the node is given up for dead.
            var nodes = view.Devices.ToDictionary(device => device.Device, device => device.Node);
            var silent = _current.Route.Hops.Where(hop => nodes.TryGetValue(hop.Device, out var node) && !view.IsReachable(node)).ToArray();
            if (_phase == Phase.Opening)
            {
                Hurry(silent, now);
            }
            else if (silent.Length > 0)
            {
                Probe(now);
            }
            else
            {
                PrepareMove(now);
            }
        }

        return _commands;
    }

    /// <summary>Leaves the hops of devices that are excluded, at once: nothing more of what they compute counts. Whether the course of the session changed.</summary>
    private bool LeaveExcluded(TimeSpan now)
    {
        if (_view.Standings.IsEmpty || _phase == Phase.Ended)
        {
            return false;
        }

        var isOnRoute = false;
        foreach (var holder in _holders.Values.Where(holder => _view.IsExcluded(holder.Device)).ToArray())
        {
            var hop = _current.IndexOf(holder.Shard);
            if (_phase == Phase.Opening && _epoch == FirstEpoch && hop >= 0)
            {
                _commands.Add(new CloseHop(holder, _epoch));
                TurnAway(hop, RefusalReason.Leaving, $"{Upper(_plan.Describe(holder))} {ExcludedText}");
                return true;
            }

            if (hop >= 0)
            {
                isOnRoute = true;
                _trouble = $"{_plan.Describe(holder)}: it {ExcludedText}";
            }

            if (_next is not null && _next.IndexOf(holder.Shard) >= 0)
            {
                CancelMove();
            }

            _leaving.Remove(holder.Shard);
            _suspects.Remove(holder.Shard);
            if (_holders.ContainsKey(holder.Shard))
            {
                Leave(holder, HasWorked(holder) ? WorkOutcome.Failed : null);
            }
        }

        if (!isOnRoute || _phase == Phase.Waiting)
        {
            return false;
        }

        Recover(now);
        return true;
    }

    private void Probe(TimeSpan now)
    {
        // A hop that has the session says so again; one that is stuck or gone says nothing.
        (_phase, _hasProbed) = (Phase.Probing, true);
        _current.Forget();
        for (var hop = 0; hop < Hops; hop++)
        {
            _commands.Add(new OpenHop(hop, _current.Route, _current.Epoch));
        }

        Deadline = now + _plan.Limits.ProbeDeadline;
    }

    private void ProbeLate(TimeSpan now)
    {
        var what = $"it does not answer within {_plan.Limits.ProbeDeadline.TotalSeconds:0.###} s.";
        var silent = _current.Route.Hops.Where((_, hop) => !_current.HasAnswered(hop)).Select(hop => hop.Shard).ToHashSet();
        if (Choose(1, now, silent).Route is not null)
        {
            LoseSilent(_ => true, what, now);
            return;
        }

        // Nobody could take its place: perhaps it is only busy, and then it has all it needs to go on.
        _trouble = $"{_plan.Describe(_current.Route.Hops.First(hop => silent.Contains(hop.Shard)))}: {what}";
        Recover(now);
    }

    private void LoseSilent(Func<IActorRef, bool> which, string what, TimeSpan now)
    {
        foreach (var (hop, lost) in _current.Route.Hops.Index())
        {
            if (!_current.HasAnswered(hop) && which(lost.Shard))
            {
                _trouble = $"{_plan.Describe(lost)}: {what}";
                _troubles.Rest(lost.Shard, now);
                Leave(lost, WorkOutcome.TimedOut);
            }
        }

        Recover(now);
    }

    /// <summary>A hop said what cannot be: it is not used again.</summary>
    private void Distrust(int hop, string what, TimeSpan now)
    {
        _troubles.Fail(_current.Route.Hops[hop].Shard, times: 2);
        Lose(hop, what, WorkOutcome.Failed, now);
    }

    private void Lose(int hop, string what, WorkOutcome? outcome, TimeSpan now)
    {
        var lost = _current.Route.Hops[hop];
        _trouble = $"{_plan.Describe(lost)}: {what}";
        if (_troubles.Failures(lost.Shard) == 0)
        {
            _troubles.Rest(lost.Shard, now);
        }

        Leave(lost, outcome);
        Recover(now);
    }
}
