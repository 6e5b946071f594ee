using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>How a route is opened: every hop is asked, and again where it is silent, until all have said what they have of the session.</summary>
internal sealed partial class GenerationState
{
    private static readonly TimeSpan ReconnectPause = TimeSpan.FromMilliseconds(500);

    private readonly Dictionary<IActorRef, Hop> _holders = [];
    private readonly HashSet<IActorRef> _suspects = [];
    private int _epoch;
    private TimeSpan _openUntil;
    private TimeSpan _hurryUntil;

    /// <summary>Opens a route in the next epoch, and closes the session where the route does not lead.</summary>
    private void Begin(Route route, TimeSpan now)
    {
        _current = new RouteEpoch(route, ++_epoch);
        Enter(now);
    }

    private void Enter(TimeSpan now)
    {
        foreach (var holder in _holders.Values.Where(holder => _current.IndexOf(holder.Shard) < 0).ToArray())
        {
            Leave(holder, null);
        }

        _leaving.RemoveWhere(shard => _current.IndexOf(shard) < 0);
        _suspects.RemoveWhere(shard => _current.IndexOf(shard) < 0);
        _phase = Phase.Opening;
        (_openUntil, _hurryUntil) = (now + _plan.Limits.OpenDeadline, now + _plan.Limits.ReconnectDeadline);
        AskSilent(now);
    }

    private void AskSilent(TimeSpan now)
    {
        for (var hop = 0; hop < Hops; hop++)
        {
            if (!_current.HasAnswered(hop))
            {
                var to = _current.Route.Hops[hop];
                _holders[to.Shard] = to;
                _commands.Add(new OpenHop(hop, _current.Route, _current.Epoch));
            }
        }

        // One message may have been lost; over a broken connection it was.
        Deadline = Min(_openUntil, _suspects.Count > 0 ? Min(_hurryUntil, now + ReconnectPause) : now + _plan.Limits.ProbeDeadline);
    }

    /// <summary>Hops that are asked already are to answer soon.</summary>
    private void Hurry(IReadOnlyCollection<Hop> hops, TimeSpan now)
    {
        foreach (var hop in hops)
        {
            if (!_current.HasAnswered(_current.IndexOf(hop.Shard)) && _suspects.Add(hop.Shard))
            {
                _hurryUntil = now + _plan.Limits.ReconnectDeadline;
                Deadline = Min(Deadline, Min(_hurryUntil, now + ReconnectPause));
            }
        }
    }

    private void OpenLate(TimeSpan now)
    {
        if (now >= _openUntil)
        {
            LoseSilent(_ => true, $"it does not answer within {_plan.Limits.OpenDeadline.TotalSeconds:0.###} s.", now);
        }
        else if (_suspects.Count > 0 && now >= _hurryUntil)
        {
            LoseSilent(_suspects.Contains, "its connection broke, and it does not answer over another one.", now);
        }
        else
        {
            AskSilent(now);
        }
    }
}
