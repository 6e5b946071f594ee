using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// How the session finds another way when a hop is lost: another route with the hops that are left, in the next epoch, and it goes on where
/// they are. One way for a death, for a message that was lost, for the first and the last hop, in the middle of a prompt and of another repair.
/// </summary>
internal sealed partial class GenerationState
{
    /// <summary>The epoch of a route that was never repaired.</summary>
    public const int FirstEpoch = 1;

    /// <summary>So often a route is opened without a single new position before it is given up: what fails so often fails for ever.</summary>
    private const int MostAttempts = 24;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly ShardTroubles _troubles = new();
    private ClusterView _view = ClusterView.Empty(Address.AllSystems);
    private int _attempts;
    private TimeSpan? _troubleSince;
    private TimeSpan _notBefore;
    private string _trouble = "";
    private string? _problem;

    /// <summary><see cref="Deadline"/> has passed.</summary>
    public IReadOnlyList<PipelineCommand> DeadlinePassed(TimeSpan now)
    {
        if (_audit?.Deadline <= now && _phase != Phase.Ended)
        {
            return Check(audit => audit.DeadlinePassed(now), now);
        }

        _commands.Clear();
        switch (_phase)
        {
            case Phase.Opening:
                OpenLate(now);
                break;
            case Phase.Checking:
                CheckLate(now);
                break;
            case Phase.Asking:
                AskLate(now);
                break;
            case Phase.Probing:
                ProbeLate(now);
                break;
            case Phase.Running when !_hasProbed:
                Probe(now);
                break;
            case Phase.Running:
                _trouble = $"all {Hops} hops answer, but position {_computed} does not come out of them: it was lost on the way, or a device is stuck.";
                Recover(now);
                break;
            case Phase.Waiting when now >= _troubleSince + _plan.Limits.RepairTimeout:
                GiveUp();
                break;
            case Phase.Waiting:
                TryRoute(now);
                break;
            default:
                break;
        }

        return _commands;
    }

    private static TimeSpan Min(TimeSpan? one, TimeSpan other) => one < other ? one.Value : other;

    private void Recover(TimeSpan now)
    {
        if (_phase == Phase.Checking && !Reopen())
        {
            return;
        }

        _refusal = null;
        _audit?.Pause();
        CancelMove();
        _commands.Add(new Note($"looks for another way at position {_furthest}: {_trouble}"));
        (_hasProbed, _troubleSince) = (false, _troubleSince ?? now);
        if (++_attempts > MostAttempts)
        {
            Fail(GenerationError.HopLost, $"The answer broke off at {_trouble} It does not come on after {MostAttempts} attempts. Ask again.");
            return;
        }

        // What fails again and again is not tried as fast as messages travel.
        _notBefore = now + (_attempts <= 2 ? TimeSpan.Zero : Min(LongestPause, FirstPause * Math.Pow(2, _attempts - 3)));
        if (_notBefore > now)
        {
            Wait(now);
        }
        else
        {
            TryRoute(now);
        }
    }

    private void TryRoute(TimeSpan now)
    {
        for (var tolerance = 0; tolerance <= 2; tolerance++)
        {
            var choice = Choose(tolerance, now);
            _problem = choice.Problem ?? _problem;
            if (choice.Route is { } route)
            {
                Begin(route, now);
                return;
            }
        }

        if (Choose(int.MaxValue, now).Route is not null)
        {
            // Only through a shard that fails at this again and again.
            Fail(GenerationError.HopLost, $"The answer broke off at {_trouble} Ask again.");
            return;
        }

        Wait(now);
    }

    /// <summary>The best route for now.</summary>
    /// <param name="tolerance">From 1 on through shards that are about to go, from 2 on through those that failed so many times less one.</param>
    /// <param name="now">The time.</param>
    /// <param name="without">Shards to leave out, or null.</param>
    private RouteChoice Choose(int tolerance, TimeSpan now, HashSet<IActorRef>? without = null)
    {
        return RoutePlanner.Plan(_view, _plan.Model, [.. _holders.Values.Where(May)], May);

        bool May(Hop hop) => without?.Contains(hop.Shard) != true
            && !_troubles.IsResting(hop.Shard, now)
            && (tolerance >= 1 || !_leaving.Contains(hop.Shard))
            && _troubles.Failures(hop.Shard) <= Math.Max(0, tolerance - 1);
    }

    private void Wait(TimeSpan now)
    {
        _phase = Phase.Waiting;
        foreach (var shard in _leaving.ToArray())
        {
            // Its device may need the memory for what the session waits for.
            Leave(_holders.GetValueOrDefault(shard), null);
        }

        _leaving.Clear();
        var next = _troubles.NextEnd(now) is { } end && end > _notBefore ? end : _notBefore;
        Deadline = Min(next > now ? next : null, _troubleSince!.Value + _plan.Limits.RepairTimeout);
    }

    private void GiveUp() => Fail(
        GenerationError.HopLost,
        $"The answer broke off at {_trouble} Within {_plan.Limits.RepairTimeout.TotalSeconds:0.###} s nothing took its place. {_problem} Ask again when devices have joined.");
}
