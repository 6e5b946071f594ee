using System.Runtime.InteropServices;
using Akka.Actor;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>Who recomputes a hop's units, and what they are given.</summary>
internal sealed partial class SessionAudit
{
    /// <summary>Starts or goes on with what is to be checked of a hop.</summary>
    private void Go(HopAudit hop, TimeSpan now)
    {
        if (hop.IsSettled || _isPaused || Convicted is not null)
        {
            return;
        }

        if (hop.Run is { } run)
        {
            if (!run.IsOpen || run.UnitEnd != run.Answered)
            {
                return;
            }

            if (hop.Next >= run.Answered)
            {
                Feed(hop, now);
                return;
            }

            // It went past a unit that is to be checked after all.
            End(hop);
        }

        // Whoever wants an answer verified wants to believe nobody, if that can be had; and of one that hides whose it is nobody can tell whether the drawn one is its owner's too.
        if (hop.Dispute is null && !(_audit.CanJudge && (_audit.IsStrict || _owners.IsHidden(hop.Hop.Device))) && Draw(hop) is { } verifier)
        {
            Open(hop, verifier, isJudge: false, now);
        }
        else if (_audit.CanJudge)
        {
            if (_judged.Add(hop))
            {
                _do(new LendJudge(hop.Hop.Range));
            }
        }
        else if (hop.Dispute is not null && Draw(hop) is { } referee)
        {
            Open(hop, referee, isJudge: false, now);
        }
        else if (hop.Dispute is { } dispute)
        {
            // One word against another, and nobody to ask: neither is believed here, and the ledger hears of both.
            if (dispute.Verifier is { } verifies)
            {
                Report(verifies.Device, hop, CheckOutcome.Soft, TrustRole.Verifier, dispute, "it found something else than the hop signed, and nobody could decide.");
            }

            Convict(hop, dispute.Position, CheckOutcome.Soft, dispute.Answer, Signed(hop.Find(dispute.Position)!, dispute.Key), "a verifier found something else, and nobody could decide.", dispute.Verifier?.Device);
        }
        else
        {
            hop.Problem = "nobody else holds its layers, and this gateway does not have the model's files.";
        }
    }

    /// <summary>Draws who checks a hop: somebody else's device that holds just the same layers. In a dispute no second device of the verifier's owner has a say.</summary>
    private Hop? Draw(HopAudit hop)
    {
        var disputing = hop.Dispute?.Verifier is { } verifier ? _owners.Of(verifier.Device) : null;
        var able = (
            from device in _view.Devices
            where !hop.Spent.Contains(device.Device) && !device.PublicKey.IsEmpty && _view.IsReachable(device.Node)
                && !(_audit.CanJudge && _owners.IsHidden(device.Device)) && !DrawRules.AreOfOneOwner(disputing, _owners.Of(device.Device))
            from loaded in device.Loaded
            where loaded.Model == _plan.Model.Model && loaded.Range == hop.Hop.Range
            select new Hop(device.Device, loaded.Range, loaded.Shard)).ToArray();
        var drawn = VerifierDraw.Choose(
            _audit.Seed(hop.Find(hop.Next ?? hop.From)?.Hash ?? default),
            new CheckedDevice(hop.Hop.Device, _owners.Of(hop.Hop.Device), hop.Hop.Range),
            able.Select(each => new VerifierCandidate(
                each.Device,
                _owners.Of(each.Device),
                each.Range,
                _view.Standings.TryGetValue(each.Device, out var standing) ? standing.Verifier : TrustTier.Probation,
                _view.TierOf(each.Device) is TrustTier.Junior or TrustTier.Full)),
            hop.Verifiers,
            _audit.Settings);
        return drawn is { } chosen ? able.First(each => each.Device == chosen.Device) : null;
    }

    private void Open(HopAudit hop, Hop verifier, bool isJudge, TimeSpan now)
    {
        if (_refed.Count > ProtocolLimits.RefedSpans)
        {
            hop.Problem = $"the session's route was repaired more than {ProtocolLimits.RefedSpans} times.";
            return;
        }

        // A judge's answers are under no secret: everybody can compute what they are compared with.
        var session = SessionId.New();
        var run = new AuditRun(session, verifier, isJudge, isJudge ? default : _audit.Key(session), isJudge ? default : KeyOf(verifier.Device)) { Deadline = now + StepPatience };
        if (!isJudge)
        {
            hop.Verifiers.Add(verifier.Device);
        }

        hop.Run = run;
        _runs.Add(run.Session, hop);
        _do(new OpenCheck(run, _route with { Hops = _route.Hops.SetItem(hop.Index, verifier) }, hop.Index, [.. _refed]));
    }

    /// <summary>Gives a verifier the rest of the unit that it works on, or the next one that it needs.</summary>
    private void Feed(HopAudit hop, TimeSpan now)
    {
        var run = hop.Run!;
        if (run.Fed == run.UnitEnd)
        {
            if (run.UnitEnd > run.Answered)
            {
                if (run.UnitEnd % _unit != 0)
                {
                    _do(new TellShard(run.Verifier.Shard, new SealReceipts(run.Session, GenerationState.FirstEpoch)));
                }

                return;
            }

            if (!Begin(hop, run))
            {
                run.Deadline = TimeSpan.MaxValue;
                return;
            }
        }

        run.Deadline = now + StepPatience;
        if (run.IsOpening && !HasLayers(hop))
        {
            run.Opened.Enqueue(new FeedCache(run.Session, GenerationState.FirstEpoch, run.Fed, 0, run.UnitEnd - run.Fed, default));
            run.Fed = run.UnitEnd;
            GiveCache(hop, run, now);
        }
        else if (hop.Index > 0 || run.IsOpening)
        {
            run.OpenUntil = now + _audit.Settings.OpeningDeadline;
            Fetch(hop, run, now);
        }
        else
        {
            var rows = run.UnitEnd - run.Fed;
            var tokens = _tokens(run.Fed, rows);
            _do(new TellShard(run.Verifier.Shard, new FeedTokens(run.Session, GenerationState.FirstEpoch, run.Fed, tokens, false)));
            run.Inputs.AddRange(tokens.Select(PositionDigest.OfToken));
            run.Fed += rows;
            Feed(hop, now);
        }
    }

    /// <summary>Begins the next unit that a verifier needs: one that is to be checked, or what lies before it. False when there is none, or it is not there yet.</summary>
    private bool Begin(HopAudit hop, AuditRun run)
    {
        if (hop.IsSettled || hop.Next is not { } next || next < run.Answered)
        {
            return false;
        }

        var end = Math.Min(UnitCut.EndOf(run.Answered), hop.SignedTo);
        run.IsOpening = run.Answered < next && MayOpen(hop) && hop.Find(run.Answered) is not null;
        if (run.IsOpening)
        {
            end = HasLayers(hop) ? end : next;
        }
        else if (end <= run.Answered || (end % _unit != 0 && !hop.IsSealed) || !IsGiven(hop, end))
        {
            return false;
        }

        run.UnitEnd = end;
        run.HasOpened |= run.IsOpening;
        run.Inputs.Clear();
        run.Rows.Clear();
        run.Part.Clear();
        return true;
    }

    /// <summary>Whether what came into a hop up to a position can be had: where the hop before was replaced it may be behind, and what it has signed it has to give.</summary>
    private bool IsGiven(HopAudit hop, int end) => hop.Index == 0 || _hops[_route.Hops[hop.Index - 1].Shard].SignedTo >= end;

    /// <summary>Asks the hop before for what it gave next, or the hop itself for what it got or keeps; again after a while, as messages are lost.</summary>
    private void Fetch(HopAudit hop, AuditRun run, TimeSpan now)
    {
        run.Deadline = now + AskAgain < run.OpenUntil ? now + AskAgain : run.OpenUntil;
        _do(run.IsOpening
            ? new TellShard(hop.Hop.Shard, new FetchCache(_plan.Session, _epoch, run.Fed, run.Part.Count, run.UnitEnd - run.Fed))
            : new TellShard(GiverOf(hop, run).Hop.Shard, new FetchKept(_plan.Session, _epoch, run.Fed, Math.Min(run.UnitEnd - run.Fed, _rowsPerMessage), run.AsksTaker)));
    }

    /// <summary>Who is asked for what a verifier is to get.</summary>
    private HopAudit GiverOf(HopAudit hop, AuditRun run) => run.IsOpening || run.AsksTaker ? hop : _hops[_route.Hops[hop.Index - 1].Shard];

    private void Answered(HopAudit hop, AuditRun run, UnitRecomputed answer, TimeSpan now)
    {
        if (run.IsOpening || answer.Position != run.Answered || answer.Position + answer.Rows != run.UnitEnd)
        {
            GiveUp(hop, now);
            return;
        }

        if (!run.IsJudge && VerifierRules.Problem(answer, run.PublicKey.Span, _terms.Cluster, hop.Index, Merkle.Root(CollectionsMarshal.AsSpan(run.Inputs))) is { } problem)
        {
            Withheld(hop, problem);
            GiveUp(hop, now);
            return;
        }

        run.Answered = run.UnitEnd;
        if (hop.Find(answer.Position) is { } receipt && receipt.Rows == answer.Rows && IsNews(hop, run, receipt) && !Compare(hop, run, receipt, answer, now))
        {
            return;
        }

        Feed(hop, now);
        Go(hop, now);
    }

    /// <summary>Whether an answer tells something: not about a unit that is checked, unless the judge decides and a verifier may have lied there.</summary>
    private static bool IsNews(HopAudit hop, AuditRun run, Receipt receipt)
        => !hop.IsChecked(receipt.Position) || (run.IsJudge && hop.Dispute is not null);

    /// <summary>The connection to a node broke: what its verifiers were given or answered may be lost.</summary>
    public void Disconnected(Address node, TimeSpan now)
    {
        foreach (var hop in _runs.Values.Where(hop => hop.Run!.Verifier.Shard.Path.Address.Equals(node)).ToArray())
        {
            GiveUp(hop, now);
        }
    }

    /// <summary>A verifier does not go on: another one begins anew.</summary>
    /// <param name="hop">What it checks.</param>
    /// <param name="now">The time.</param>
    /// <param name="isRefused">Whether it says so itself: perhaps for what the hop opened.</param>
    private void GiveUp(HopAudit hop, TimeSpan now, bool isRefused = false)
    {
        var run = hop.Run!;
        if (isRefused && run.IsOpen && run.UnitEnd == run.Answered)
        {
            // It had nothing to do, and forgot it after a while.
            End(hop);
            Go(hop, now);
            return;
        }

        var isInVain = isRefused && run.HasOpened && !hop.OpensInVain;
        hop.OpensInVain |= isInVain;
        if (run.IsJudge && !isInVain && !Believe(hop))
        {
            hop.Problem = "this gateway could not recompute it.";
        }

        hop.Spent.Add(run.Verifier.Device);
        End(hop);
        Go(hop, now);
    }

    private void End(HopAudit hop)
    {
        if (hop.Run is { } run)
        {
            _runs.Remove(run.Session);
            Forget(run);
            hop.Run = null;
            _do(new TellShard(run.Verifier.Shard, new CloseSession(run.Session, GenerationState.FirstEpoch)));
        }

        _judged.Remove(hop);
    }
}
