using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>How a generation ends, and what is reported of everybody who took part.</summary>
internal sealed partial class GenerationState
{
    private readonly Dictionary<IActorRef, WorkReport> _past = [];
    private readonly HashSet<IActorRef> _workers = [];

    private void TurnAway(int hop, RefusalReason reason, string message)
    {
        var refusing = _current.Route.Hops[hop];
        _holders.Remove(refusing.Shard);
        CloseAll();
        End(new HopRefusal(refusing.Device, reason, message));
    }

    private void Fail(GenerationError error, string message)
    {
        Report();
        CloseAll();
        _commands.Add(new TellClient(new GenerationFailed(_plan.Prompt, error, message)));
        End(null);
    }

    private void Finish(FinishReason reason, string text, TimeSpan now)
    {
        var prefill = _generated.Count > 0 ? _firstToken - _firstStep : _isStarted ? now - _firstStep : TimeSpan.Zero;
        var finished = new GenerationFinished(_plan.Prompt, reason, text, new GenerationTiming(
            _plan.Tokens.Length,
            _generated.Count,
            ((_isStarted ? _firstStep : now) - _plan.Arrived).TotalMilliseconds,
            prefill.TotalMilliseconds,
            _generated.Count > 0 ? (_lastToken - _firstToken).TotalMilliseconds : 0,
            [.. _current.Microseconds.Select(time => time / 1000.0)],
            _reused,
            _drafter?.Drafted ?? 0,
            _drafter?.Accepted ?? 0));
        if (_audit is not null && reason != FinishReason.Cancelled && _generated.Count > 0)
        {
            _last = finished;
            Seal(now);
        }
        else
        {
            Tell(finished, Known - 1);
            Release(int.MaxValue);
            Close();
        }
    }

    /// <summary>Closes the session on one hop, and notes what it did. One that is only silent may still hold it.</summary>
    private void Leave(Hop? hop, WorkOutcome? outcome)
    {
        if (hop is null)
        {
            return;
        }

        _holders.Remove(hop.Shard);
        _commands.Add(new CloseHop(hop, _epoch));
        if (outcome is not null || HasWorked(hop))
        {
            _past[hop.Shard] = Work(hop, outcome ?? WorkOutcome.Served);
        }
    }

    private void Report()
    {
        foreach (var (shard, report) in _past)
        {
            // One that was only silent for a while and served to the end has served.
            if (report.Outcome != WorkOutcome.TimedOut || !_holders.ContainsKey(shard))
            {
                _commands.Add(new ReportWork(report));
            }
        }

        foreach (var hop in _current.Route.Hops)
        {
            if (HasWorked(hop) && _holders.ContainsKey(hop.Shard) && !(_past.TryGetValue(hop.Shard, out var past) && past.Outcome != WorkOutcome.TimedOut))
            {
                _commands.Add(new ReportWork(Work(hop, WorkOutcome.Served)));
            }
        }
    }

    private bool HasWorked(Hop hop) => _furthest > 0 && _workers.Contains(hop.Shard);

    private WorkReport Work(Hop hop, WorkOutcome outcome) => new(hop.Device, _plan.Session, _plan.Model.Model, hop.Range, outcome, _furthest - _reused)
    {
        Size = Earns(hop.Device) ? _plan.SizeOf(hop.Range, _reused, _furthest - _reused) : default(WorkSize),
    };

    /// <summary>What the ledger hears of a check. Its size stays, whoever is checked: what a failure costs is counted in it, and only whoever checked is paid for it.</summary>
    public WorkReport Checked(ReportCheck check) => new(check.Device, _plan.Session, _plan.Model.Model, check.Range, WorkOutcome.Checked, check.Tokens, check.Facts)
    {
        Size = _plan.SizeOf(check.Range, check.Facts.Position, check.Tokens),
        PaysVerifier = Earns(check.Facts.Verifier),
    };

    private bool Earns(DeviceId device) => Incentive.Earns(_plan.Owner, _owners.Of(device));

    private void CloseAll(ImmutableArray<PageKey> pages = default)
    {
        foreach (var holder in _holders.Values)
        {
            _commands.Add(new CloseHop(holder, _epoch, pages));
        }

        _holders.Clear();
    }

    private void End(HopRefusal? refusal)
    {
        _audit?.End();
        (_phase, Deadline, _next) = (Phase.Ended, null, null);
        _commands.Add(new EndPipeline(refusal));
    }
}
