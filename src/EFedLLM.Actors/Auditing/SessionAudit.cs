using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// The checks of one session, without actors: receipts and answers in, commands out. Each hop is checked on its own, in the order of its
/// positions: a verifier gets what came into the hop, from whoever gave it, and answers what should have come out. Units that nobody chose
/// are not recomputed: the verifier gets the keys and values that the hop opens of them, which must be those it signed. Who differs from a
/// receipt is not believed yet: the gateway's own judge decides, or where it has no files a second verifier, from what came in alone. Of an
/// answer that is to be verified the judge checks everything itself, if it can: verifiers might lie together.
/// </summary>
internal sealed partial class SessionAudit
{
    private static readonly TimeSpan StepPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(4);

    private readonly AuditPlan _audit;
    private readonly GenerationPlan _plan;
    private readonly SessionOwners _owners;
    private readonly SessionTerms _terms;
    private readonly Func<int, int, ImmutableArray<int>> _tokens;
    private readonly Action<PipelineCommand> _do;
    private readonly int _unit;
    private readonly int _rowsPerMessage;
    private readonly Dictionary<IActorRef, HopAudit> _hops = [];
    private readonly Dictionary<SessionId, HopAudit> _runs = [];
    private readonly HashSet<HopAudit> _judged = [];
    private readonly Dictionary<int, Digest> _drawn = [];
    private ClusterView _view = ClusterView.Empty(Address.AllSystems);
    private Route _route;
    private int _epoch;
    private readonly List<Refed> _refed = [];
    private int _drawFrom;
    private bool _isPaused;

    /// <summary>No receipts yet.</summary>
    /// <param name="audit">What is settled about the checks.</param>
    /// <param name="plan">What is settled about the session.</param>
    /// <param name="owners">Whose the devices are; whoever hands it in keeps it up to date.</param>
    /// <param name="tokens">The tokens that are known: from a position, so many; none where they are not all known.</param>
    /// <param name="commands">Takes what is to be done.</param>
    public SessionAudit(AuditPlan audit, GenerationPlan plan, SessionOwners owners, Func<int, int, ImmutableArray<int>> tokens, Action<PipelineCommand> commands)
    {
        (_audit, _plan, _owners, _tokens, _do, _unit) = (audit, plan, owners, tokens, commands, UnitCut.Rows);
        _rowsPerMessage = Layers.Activations.RowsPerMessage(plan.Model.HiddenSize, audit.MessageBytes);
        (_route, _terms) = (plan.Route, plan.Terms!);
    }

    /// <summary>A device that was shown to compute wrongly, or whose word contradicts another's, and from which position on nothing of it is to be believed; null while there is none. The pipeline takes it.</summary>
    public Conviction? Convicted { get; private set; }

    /// <summary>A hop of which receipts are missing, lost on their way or never sent, so that the session has to go back to where it is checked; or null.</summary>
    public Hop? Gap => Current.FirstOrDefault(hop => hop.IsSealed && hop.Length > hop.SignedTo)?.Hop;

    /// <summary>Whether a hop has not said yet that it has signed all.</summary>
    public bool IsUnsealed(Hop hop) => !_hops.TryGetValue(hop.Shard, out var audit) || !audit.IsSealed;

    /// <summary>Whether what is told waits until it is checked: where whoever asked wants that, and where something may be told of a device that everything is checked of.</summary>
    public bool Withholds => _audit.IsStrict || _hops.Values.Any(hop => Rate(hop.Hop.Device) >= 1);

    /// <summary>One past the last position up to which every hop that must be is checked.</summary>
    public int CheckedTo => Current.Where(hop => Must(hop) && (hop.Problem is null || _audit.IsStrict)).Select(hop => hop.CheckedTo).DefaultIfEmpty(int.MaxValue).Min();

    /// <summary>Whether all that is to be checked is, or cannot be.</summary>
    public bool IsSettled => Current.All(hop => hop.IsSealed && hop.IsSettled);

    /// <summary>Whether every hop has signed all that it computed.</summary>
    public bool IsAllSigned => Current.All(hop => hop.IsSealed) && Gap is null;

    /// <summary>What every hop of the route signed, each from the first position to the last one; null where something lacks.</summary>
    public IReadOnlyList<HopAudit>? WholeHops()
    {
        var hops = Current.ToArray();
        return IsAllSigned && hops.Length == _route.Hops.Length && hops.All(hop => hop.From == 0 && hop.SignedTo > 0 && hop.SignedTo == hops[0].SignedTo)
            && hops.Sum(hop => (long)hop.Units.Count) <= Merkle.MostLeaves ? hops : null;
    }

    /// <summary>Why something cannot be checked, for people; null when all can.</summary>
    public string? Problem => Current.Where(Must).Select(hop => hop.Problem).FirstOrDefault(problem => problem is not null);

    /// <summary>When <see cref="DeadlinePassed"/> is due; null when nothing is waited for.</summary>
    public TimeSpan? Deadline => _runs.Values.Select(hop => hop.Run!.Deadline).Where(deadline => deadline < TimeSpan.MaxValue).Select(deadline => (TimeSpan?)deadline).Min();

    private IEnumerable<HopAudit> Current => _route.Hops.Where(hop => _hops.ContainsKey(hop.Shard)).Select(hop => _hops[hop.Shard]);

    /// <summary>Hops that left the route before they were checked: the unit behind them, and from which position on it is not known what they gave.</summary>
    public IEnumerable<(int Unit, int Position)> Unchecked(Route route)
        => [.. _hops.Values
            .Where(hop => Must(hop) && !route.Hops.Any(stays => stays.Shard.Equals(hop.Hop.Shard)))
            .Select(hop => (hop.Hop.Range.End, hop.CheckedTo))];

    /// <summary>The session goes on over a route.</summary>
    /// <param name="route">The route.</param>
    /// <param name="epoch">Its epoch.</param>
    /// <param name="starts">Where each hop goes on: multiples of a unit.</param>
    /// <param name="drawFrom">The position of the last token that is known: the head draws after it and all that follow.</param>
    public void Resume(Route route, int epoch, ImmutableArray<int> starts, int drawFrom)
    {
        (_route, _epoch, _drawFrom, _isPaused) = (route, epoch, drawFrom, false);
        foreach (var row in _drawn.Keys.Where(row => row >= starts[^1]).ToArray())
        {
            _drawn.Remove(row);
        }

        Refeed(starts[^1], drawFrom);

        foreach (var gone in _hops.Values.Where(hop => route.Hops.All(stays => !stays.Shard.Equals(hop.Hop.Shard))).ToArray())
        {
            End(gone);
            Report(gone);
            _hops.Remove(gone.Hop.Shard);
        }

        foreach (var (index, hop) in route.Hops.Index())
        {
            if (!_hops.TryGetValue(hop.Shard, out var audit))
            {
                _hops.Add(hop.Shard, audit = new HopAudit(hop, _unit, _terms));
            }

            End(audit);
            audit.Resume(index, starts[index]);
        }
    }

    /// <summary>The session looks for another route: until it goes on nothing is checked.</summary>
    public void Pause()
    {
        _isPaused = true;
        foreach (var hop in _hops.Values)
        {
            End(hop);
        }
    }

    /// <summary>The head says that it drew a token.</summary>
    /// <param name="row">The position after which it was drawn.</param>
    /// <param name="choice">The token.</param>
    public void Drawn(int row, TokenChoice choice) => _drawn[row] = PositionDigest.OfDraw(choice.Id, choice.Logprob);

    /// <summary>The cluster changed.</summary>
    public void Look(ClusterView view, TimeSpan now)
    {
        _view = view;
        foreach (var hop in _hops.Values.Where(Must).ToArray())
        {
            // Where a device lost its standing what nobody chose until now is checked too, before more of it is told.
            hop.WantAll();
            Go(hop, now);
        }

        foreach (var hop in _runs.Values.ToArray())
        {
            if (hop.Run is { IsJudge: false } run && view.Devices.FirstOrDefault(device => device.Device == run.Verifier.Device) is { } device && !view.IsReachable(device.Node))
            {
                GiveUp(hop, now);
            }
        }
    }

    /// <summary>A receipt came. One that is not the hop's, or not signed by it, or that contradicts what came before it, convicts whoever signed it.</summary>
    public void Signed(UnitSigned message, IActorRef sender, TimeSpan now)
    {
        if (!_hops.TryGetValue(sender, out var hop) || message.Epoch != _epoch)
        {
            return;
        }

        if (hop.Follow(message) is not { } signed)
        {
            // Where it repeats itself, or something was lost, nobody is blamed for that.
            if (hop.Contradiction(message) is var (before, other) && IsTrulySigned(other, hop))
            {
                ConvictOfTwoReceipts(hop, before, other);
            }

            return;
        }

        if (!IsTrulySigned(signed, hop))
        {
            Convict(hop, hop.SignedTo, CheckOutcome.Soft, default, default, "it signed something else than this session's work, or its signature is not its own.");
            return;
        }

        var receipt = signed.Receipt;
        if (_tokens(receipt.Position, receipt.Rows).IsDefaultOrEmpty || !IsToldOf(receipt, hop))
        {
            // Something was lost or taken back meanwhile.
            return;
        }

        hop.Add(signed);
        if (hop.Index == 0 && receipt.InRoot != RootOfTokens(receipt.Position, receipt.Rows))
        {
            Convict(hop, receipt.Position, CheckOutcome.Hard, RootOfTokens(receipt.Position, receipt.Rows), receipt.InRoot, "it signed that it got other tokens than it was sent.");
            return;
        }

        if (hop.Index == _route.Hops.Length - 1 && Merkle.Root([.. Enumerable.Range(receipt.Position, receipt.Rows).Select(row => _drawn.GetValueOrDefault(row))]) is var told && told != receipt.OutRoot)
        {
            Convict(hop, receipt.Position, CheckOutcome.Hard, told, receipt.OutRoot, "it signed other tokens than it said it drew.");
            return;
        }

        if (_audit.Chooses(receipt.Hash, Rate(hop.Hop.Device)))
        {
            hop.Want(receipt);
        }

        foreach (var (index, other) in _route.Hops.Index())
        {
            if (Math.Abs(index - hop.Index) == 1 && _hops.TryGetValue(other.Shard, out var neighbour))
            {
                var (before, after) = index < hop.Index ? (neighbour, hop) : (hop, neighbour);
                if (before.FindSigned(receipt.Position) is { } given && after.FindSigned(receipt.Position) is { } taken
                    && given.Receipt.Rows == taken.Receipt.Rows && given.Receipt.OutRoot != taken.Receipt.InRoot)
                {
                    Contradict(before, after, given, taken);
                    return;
                }
            }
        }

        Go(hop, now);
        if (hop.Index + 1 < _route.Hops.Length && _hops.TryGetValue(_route.Hops[hop.Index + 1].Shard, out var next))
        {
            Go(next, now);
        }
    }

    /// <summary>A hop has signed all that it computed.</summary>
    public void Sealed(ReceiptsSealed message, IActorRef sender, TimeSpan now)
    {
        if (_hops.TryGetValue(sender, out var hop) && message.Epoch == _epoch)
        {
            (hop.IsSealed, hop.Length) = (true, message.Length);
            Go(hop, now);
        }
    }

    /// <summary>A message of a check.</summary>
    public void Hear(ISessionMessage message, IActorRef sender, TimeSpan now)
    {
        if (!_runs.TryGetValue(message.Session, out var hop) || hop.Run is not { } run || !sender.Equals(run.Verifier.Shard))
        {
            return;
        }

        switch (message)
        {
            case SessionOpened when !run.IsOpen:
                run.IsOpen = true;
                Feed(hop, now);
                break;
            case UnitRecomputed answer:
                Answered(hop, run, answer, now);
                break;
            case HiddenReceived credit:
                Taken(hop, run, credit.Position, now);
                break;
            case SessionRefused or StepFailed or StepRejected:
                GiveUp(hop, now, isRefused: true);
                break;
            default:
                break;
        }
    }

    /// <summary>The gateway's judge lends a shard.</summary>
    public void Judge(JudgeLent message, TimeSpan now)
    {
        foreach (var hop in _judged.Where(hop => hop.Hop.Range == message.Range).ToArray())
        {
            _judged.Remove(hop);
            if (hop.Run is not null || hop.IsSettled)
            {
                continue;
            }

            if (message.Shard is { } shard)
            {
                Open(hop, new Hop(hop.Hop.Device, hop.Hop.Range, shard), isJudge: true, now);
            }
            else if (Believe(hop))
            {
                Go(hop, now);
            }
            else
            {
                hop.Problem = $"nobody else holds its layers, and this gateway cannot recompute them: {message.Problem}";
            }
        }
    }

    /// <summary>A shard is gone.</summary>
    public void Gone(IActorRef shard, TimeSpan now)
    {
        foreach (var hop in _runs.Values.Where(hop => hop.Run!.Verifier.Shard.Equals(shard)).ToArray())
        {
            GiveUp(hop, now);
        }
    }

    /// <summary><see cref="Deadline"/> has passed.</summary>
    public void DeadlinePassed(TimeSpan now)
    {
        foreach (var hop in _runs.Values.Where(hop => hop.Run!.Deadline <= now).ToArray())
        {
            if (hop.Run is { IsOpen: true } run && run.Fed < run.UnitEnd && (run.IsOpening || hop.Index > 0))
            {
                var giver = GiverOf(hop, run);
                if (now < run.OpenUntil)
                {
                    Fetch(hop, run, now);
                    continue;
                }

                End(hop);
                Convict(giver, Math.Max(run.Answered, hop.CheckedTo), CheckOutcome.Soft, default, default, "it does not open what it signed.");
            }
            else
            {
                Withheld(hop, NoAnswer);
                GiveUp(hop, now);
            }
        }
    }

    /// <summary>The pipeline has acted on <see cref="Convicted"/>.</summary>
    public void Acquit() => Convicted = null;

    /// <summary>It is over: ends the checks that run, and reports what passed.</summary>
    public void End()
    {
        foreach (var hop in _hops.Values)
        {
            End(hop);
            Report(hop);
        }
    }

    /// <summary>The head goes on at a position whose token, as those behind it, is known: what it draws anew is drawn behind them.</summary>
    private void Refeed(int start, int drawFrom)
    {
        _refed.RemoveAll(each => each.First >= start);
        if (_refed.Count > 0 && _refed[^1].End > start)
        {
            _refed[^1] = _refed[^1] with { End = start };
        }

        if (drawFrom > start)
        {
            _refed.Add(new Refed(start, drawFrom));
        }
    }

    /// <summary>Whether what a hop gives is told only when it is checked.</summary>
    private bool Must(HopAudit hop) => _audit.IsStrict || Rate(hop.Hop.Device) >= 1;

    private double Rate(DeviceId device) => StandingRules.Rate(_view.TierOf(device), _audit.Settings);

    /// <summary>Whether the pipeline has heard of every token that the head drew in a unit.</summary>
    private bool IsToldOf(Receipt receipt, HopAudit hop)
        => hop.Index < _route.Hops.Length - 1 || Enumerable.Range(receipt.Position, receipt.Rows).All(row => row < _drawFrom || _drawn.ContainsKey(row));

    private bool IsTrulySigned(SignedReceipt signed, HopAudit hop) => DeviceKey.Verify(KeyOf(hop).Span, signed.Receipt.ToStatement(), signed.Signature.AsSpan());
}
