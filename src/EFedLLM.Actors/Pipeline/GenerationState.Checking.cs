using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// What checks mean for the answer: what may be wrong is not told before it is checked, and where a hop is shown to be wrong, the answer
/// goes back to where it was right, and on from there with others.
/// </summary>
internal sealed partial class GenerationState
{
    private readonly SessionAudit? _audit;
    private readonly List<(int Position, IEvent Event)> _withheld = [];
    private readonly List<(int Unit, int Position)> _doubts = [];
    private GenerationFinished? _last;
    private int _told;
    private TimeSpan _checkUntil;

    /// <summary>How long a whole answer waits for its checks: longer than anybody may take to open something.</summary>
    private TimeSpan CheckPatience => 2 * _plan.Audit!.Settings.OpeningDeadline;

    /// <summary>When <see cref="DeadlinePassed"/> is due, for the answer or for a check of it; null when it is over.</summary>
    public TimeSpan? Wake => _phase != Phase.Ended && _audit?.Deadline is { } check && !(Deadline < check) ? check : Deadline;

    /// <summary>The gateway's judge lends a shard.</summary>
    public IReadOnlyList<PipelineCommand> Judge(JudgeLent message, TimeSpan now) => Check(audit => audit.Judge(message, now), now);

    private List<PipelineCommand> HearCheck(ISessionMessage message, IActorRef sender, TimeSpan now) => Check(
        audit =>
        {
            switch (message)
            {
                case UnitSigned signed:
                    audit.Signed(signed, sender, now);
                    break;
                case ReceiptsSealed whole:
                    audit.Sealed(whole, sender, now);
                    break;
                case KeptRows kept:
                    audit.Kept(kept, sender, now);
                    break;
                case CacheOpened opened:
                    audit.Opened(opened, sender, now);
                    break;
                default:
                    audit.Hear(message, sender, now);
                    break;
            }
        },
        now);

    private List<PipelineCommand> Check(Action<SessionAudit> what, TimeSpan now)
    {
        _commands.Clear();
        if (_audit is not null && _phase != Phase.Ended)
        {
            what(_audit);
            Judge(now);
        }

        return _commands;
    }

    /// <summary>What the checks have shown by now.</summary>
    private void Judge(TimeSpan now)
    {
        if (_audit!.Convicted is { } conviction)
        {
            _audit.Acquit();
            Convict(conviction, now);
            return;
        }

        if (_audit.Withholds && _plan.Audit!.IsStrict && _audit.Problem is { } problem)
        {
            Fail(GenerationError.Unverified, $"The answer cannot be checked: {problem} Ask without verification, or when more devices hold the same layers.");
            return;
        }

        if (_phase == Phase.Checking && !_plan.Audit!.IsStrict && _audit.IsAllSigned)
        {
            TellLast();
        }

        Release(_audit.CheckedTo);
        if (_phase == Phase.Checking && _audit.Gap is { } gap)
        {
            _trouble = $"{_plan.Describe(gap)}: what it signed was lost on its way.";
            if (_troubles.Miss(gap.Shard) > 1)
            {
                Lose(_current.IndexOf(gap.Shard), "it computed more than it signed.", null, now);
            }
            else
            {
                Recover(now);
            }
        }
        else if (_phase == Phase.Checking && _audit.IsSettled)
        {
            TellLast();
            Release(int.MaxValue);
            Close();
        }
    }

    /// <summary>The answer was whole, and a hop is needed that is not there any more, or something was lost. Whether it goes on: not where all of it is told.</summary>
    private bool Reopen()
    {
        if (_withheld.Count == 0 && _answer.Finished is not null)
        {
            TellLast();
            Release(int.MaxValue);
            _commands.Add(new Note($"is not checked to its end: {_trouble}"));
            Close();
            return false;
        }

        // At least its last token is drawn again: so it comes to its end again.
        Forget(Math.Min(_audit!.CheckedTo, Known - 2));
        return true;
    }

    private void Convict(Conviction conviction, TimeSpan now)
    {
        var lies = new[] { conviction.Hop, conviction.Other }.OfType<Hop>().Where(hop => _current.IndexOf(hop.Shard) >= 0).ToArray();
        if (lies.Length == 0)
        {
            return;
        }

        _commands.Add(new Note($"does not believe {string.Join(" and ", lies.Select(_plan.Describe))} from position {conviction.Position} on: {conviction.Reason}"));
        var before = Known;
        GoBack(lies.Min(hop => hop.Range.End), conviction.Position);
        if (_phase == Phase.Checking && Known == before)
        {
            // All of it is told: the ledger hears of it, and nobody can take it back.
            TellLast();
            return;
        }

        foreach (var hop in lies)
        {
            _troubles.Fail(hop.Shard, times: 3);
            Leave(hop, WorkOutcome.Failed);
        }

        _trouble = $"{_plan.Describe(lies[0])}: {conviction.Reason}";
        Recover(now);
    }

    /// <summary>Tells whoever asked; or keeps it until the position before it is checked.</summary>
    private void Tell(IEvent told, int position)
    {
        if (_withheld.Count > 0 || _audit is { Withholds: true })
        {
            _withheld.Add((position, told));
        }
        else
        {
            Say(told);
        }
    }

    private void Say(IEvent told)
    {
        _told += told is TokenGenerated ? 1 : 0;
        _commands.Add(new TellClient(told));
    }

    /// <summary>Tells that the answer is whole, with what the hops signed for it: so not before they have.</summary>
    private void TellLast()
    {
        if (_last is not { } last)
        {
            return;
        }

        _last = null;
        var signed = _audit!.WholeHops();
        foreach (var (index, hop) in _plan.TellsSigned ? signed?.Index() ?? [] : [])
        {
            foreach (var units in hop.Units.Chunk(HopSigned.MostUnits))
            {
                Tell(new HopSigned(_plan.Prompt, index, _audit.KeyOf(hop), hop.CheckedTo, [.. hop.PassedBy], [.. units], _plan.Terms!.Commitment), Known - 1);
            }
        }

        Tell(signed is null ? last : last with { Receipts = AnswerRules.Root(signed.Select(hop => hop.Units.ToImmutableArray())) }, Known - 1);
    }

    private void Release(int checkedTo)
    {
        var free = _withheld.TakeWhile(each => each.Position <= checkedTo).ToArray();
        _withheld.RemoveRange(0, free.Length);
        foreach (var (_, told) in free)
        {
            Say(told);
        }
    }

    /// <summary>What the hops of a route have that can be believed: nothing that came, perhaps through others, from a hop that is not.</summary>
    private HopStock[] Believed()
    {
        foreach (var (unit, position) in _audit?.Unchecked(_current.Route) ?? [])
        {
            GoBack(unit, position);
        }

        if (_audit is { Withholds: true })
        {
            // Tokens that are fed again are not drawn again, and what is not drawn cannot be checked.
            Forget(_audit.CheckedTo);
        }

        var stocks = _current.Stocks.ToArray();
        foreach (var (index, hop) in _current.Route.Hops.Index())
        {
            foreach (var (unit, position) in _doubts.Where(doubt => hop.Range.First >= doubt.Unit))
            {
                stocks[index] = new HopStock(Math.Min(stocks[index].KvLength, position), Math.Min(stocks[index].KeptFrom, position));
            }
        }

        return stocks;
    }

    /// <summary>Forgets what came of a position, and of all behind it, in the units from <paramref name="unit"/> on.</summary>
    private void GoBack(int unit, int position)
    {
        _doubts.Add((unit, position));
        Forget(position);
    }

    /// <summary>Forgets the tokens that were drawn from a position and all behind it, as far as they are not told.</summary>
    private void Forget(int position)
    {
        var prompt = _plan.Tokens.Length;
        var known = Math.Max(Math.Max(prompt, Math.Min(position, Known) + 1), prompt + _told);
        if (known >= Known)
        {
            return;
        }

        _generated.RemoveRange(known - prompt, Known - known);
        _drafter?.Truncate(known);
        _last = null;
        _withheld.RemoveAll(each => each.Position >= known || each.Event is not TokenGenerated);
        _answer = _answer.Again();
        foreach (var token in _generated)
        {
            _answer.Append(token);
        }
    }

    /// <summary>The answer is whole; its hops are needed until it is checked.</summary>
    private void Seal(TimeSpan now)
    {
        _phase = Phase.Checking;
        _checkUntil = now + CheckPatience;
        AskSeals(now);
    }

    private void AskSeals(TimeSpan now)
    {
        foreach (var hop in _current.Route.Hops.Where(hop => _audit!.IsUnsealed(hop)))
        {
            _commands.Add(new TellShard(hop.Shard, new SealReceipts(_plan.Session, _current.Epoch, Known - 1)));
        }

        Deadline = Min(_checkUntil, now + _plan.Limits.ProbeDeadline);
    }

    private void CheckLate(TimeSpan now)
    {
        if (!_plan.Audit!.IsStrict)
        {
            // What waits for signatures alone does not wait for long.
            TellLast();
        }

        if (now < _checkUntil)
        {
            AskSeals(now);
            return;
        }

        if (_current.Route.Hops.Index().FirstOrDefault(hop => _audit!.IsUnsealed(hop.Item)) is { Item: not null } silent)
        {
            Lose(silent.Index, "it does not sign what it computed.", null, now);
        }
        else if (_plan.Audit!.IsStrict)
        {
            Fail(GenerationError.Unverified, $"The answer could not be checked within {CheckPatience.TotalSeconds:0} s. Ask again, or without verification.");
        }
        else
        {
            _commands.Add(new Note("is not checked to its end: somebody did not answer in time."));
            Release(int.MaxValue);
            Close();
        }
    }

    private void Close()
    {
        Report();
        CloseAll(PagesOfAnswer());
        End(null);
    }
}
