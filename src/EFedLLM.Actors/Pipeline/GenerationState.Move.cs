using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// What happens when a hop is about to give its range up: while the session goes on, the hops that are to take over are opened; when they
/// are, the session goes over to the new route between two steps. Where nobody can take over, it stays.
/// </summary>
internal sealed partial class GenerationState
{
    private static readonly TimeSpan MovePause = TimeSpan.FromSeconds(1);

    private readonly HashSet<IActorRef> _leaving = [];
    private RouteEpoch? _next;
    private TimeSpan _nextUntil;

    /// <summary>A hop is about to give its range up, and goes on with the session until then.</summary>
    public IReadOnlyList<PipelineCommand> Moving(IActorRef shard, TimeSpan now)
    {
        _commands.Clear();
        if (_phase == Phase.Ended || !_holders.TryGetValue(shard, out var holder))
        {
            return _commands;
        }

        if (_phase == Phase.Waiting)
        {
            Leave(holder, null);
        }
        else
        {
            _leaving.Add(shard);
            PrepareMove(now);
        }

        return _commands;
    }

    /// <summary>A hop of the route to come.</summary>
    private void HearNext(ISessionMessage message, IActorRef sender, TimeSpan now)
    {
        var hop = _next!.IndexOf(sender);
        switch (message)
        {
            case SessionOpened opened when _next.Is(opened.HopIndex, sender):
                _next.Answer(opened.HopIndex, new HopStock(opened.KvLength, opened.KeptFrom));
                break;
            case SessionRefused or StepFailed when hop >= 0:
                _troubles.Rest(sender, now);
                CancelMove();
                break;
            default:
                break;
        }
    }

    /// <summary>Opens the hops that are to take over from those about to go.</summary>
    private void PrepareMove(TimeSpan now)
    {
        if (_leaving.Count == 0 || _next is not null || _phase != Phase.Running || Choose(0, now).Route is not { } route)
        {
            return;
        }

        _next = new RouteEpoch(route, ++_epoch);
        _nextUntil = now + _plan.Limits.OpenDeadline;
        foreach (var (hop, to) in route.Hops.Index())
        {
            if (_holders.TryAdd(to.Shard, to))
            {
                _commands.Add(new OpenHop(hop, route, _next.Epoch));
            }
        }
    }

    /// <summary>Between two steps: goes over to the new route when those who take over are ready. Whether it did.</summary>
    private bool TakeMove(TimeSpan now)
    {
        if (_leaving.Count == 0)
        {
            return false;
        }

        if (_next is not { } next)
        {
            if (now >= _nextUntil)
            {
                // Not for each token: nobody was there a moment ago.
                _nextUntil = now + MovePause;
                PrepareMove(now);
            }

            return false;
        }

        foreach (var (hop, to) in next.Route.Hops.Index())
        {
            if (next.HasAnswered(hop) || _current.IndexOf(to.Shard) >= 0)
            {
                continue;
            }

            if (now >= _nextUntil)
            {
                _troubles.Rest(to.Shard, now);
                CancelMove();
            }

            return false;
        }

        _audit?.Pause();
        (_next, _current) = (null, next);
        Enter(now);
        return true;
    }

    private void CancelMove()
    {
        if (_next is not { } next)
        {
            return;
        }

        _next = null;
        foreach (var hop in next.Route.Hops)
        {
            if (_current.IndexOf(hop.Shard) < 0 && _holders.Remove(hop.Shard))
            {
                _commands.Add(new CloseHop(hop, _epoch));
            }
        }
    }
}
