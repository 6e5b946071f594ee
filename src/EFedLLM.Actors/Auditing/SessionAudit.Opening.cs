using System.Runtime.InteropServices;
using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// What hops open: what came into a hop, given again by the one before or by the hop itself, and what a hop keeps, so that a verifier need not
/// compute again what nobody chose.
/// </summary>
internal sealed partial class SessionAudit
{
    /// <summary>A hop gives again what it gave, the input of the next one; or what it got.</summary>
    public void Kept(KeptRows message, IActorRef sender, TimeSpan now)
    {
        foreach (var hop in _runs.Values.Where(hop => hop.Index > 0 && GiverOf(hop, hop.Run!).Hop.Shard.Equals(sender)).ToArray())
        {
            if (hop.Run is not { } run)
            {
                // What another one opened has ended it.
                continue;
            }

            var isAsked = message.Session == _plan.Session && message.Epoch == _epoch && message.HopIndex == GiverOf(hop, run).Index;
            if (isAsked && !run.IsOpening && message.Taken == run.AsksTaker && message.Position == run.Fed && run.Fed < run.UnitEnd)
            {
                Kept(hop, run, message, now);
            }
        }
    }

    /// <summary>A hop opens what it keeps.</summary>
    public void Opened(CacheOpened message, IActorRef sender, TimeSpan now)
    {
        if (_hops.TryGetValue(sender, out var hop) && message.Epoch == _epoch && hop.Run is { IsOpen: true, IsOpening: true } run && run.Fed < run.UnitEnd)
        {
            Opened(hop, run, message, now);
        }
    }

    /// <summary>What came into a hop is given again. Nothing of a unit goes on to a verifier before all of it is what was signed.</summary>
    private void Kept(HopAudit hop, AuditRun run, KeptRows message, TimeSpan now)
    {
        var (giver, width) = (GiverOf(hop, run), _plan.Model.HiddenSize);
        if (message.Rows < 1 || message.Rows > run.UnitEnd - run.Fed || message.Hidden.Length != message.Rows * width)
        {
            if (run.AsksTaker)
            {
                Convict(hop, run.Answered, CheckOutcome.Soft, default, default, "it does not open what it signed that it got.");
                return;
            }

            // It may have forgotten for want of memory, which is no lie. The hop itself holds what it signed that it got.
            (run.AsksTaker, run.Fed, run.OpenUntil) = (true, run.Answered, now + _audit.Settings.OpeningDeadline);
            run.Inputs.Clear();
            run.Rows.Clear();
            Fetch(hop, run, now);
            return;
        }

        var (opening, blamer) = (message.OpeningOf(_terms.Cluster), giver == hop ? null : (DeviceId?)hop.Hop.Device);
        if (!DeviceKey.Verify(KeyOf(giver).Span, opening.ToStatement(), message.Signature.AsSpan()))
        {
            End(hop);
            Convict(giver, run.Answered, CheckOutcome.Soft, default, default, "what it opens is not signed by it.", blamer);
            return;
        }

        if (Layers.Activations.FirstUnsound(message.Hidden.Span, width) is >= 0 and var unsound)
        {
            // No verifier could take it.
            End(hop);
            var proof = ProveUnsound(giver, message, message.Hidden.Slice(unsound * width, width));
            Convict(giver, message.Position, CheckOutcome.Soft, default, opening.Rows[unsound], UnsoundResult, blamer, proof);
            return;
        }

        run.Inputs.AddRange(opening.Rows);
        run.Rows.Add(message);
        run.Fed += message.Rows;
        if (run.Fed < run.UnitEnd)
        {
            Feed(hop, now);
            return;
        }

        if (hop.FindSigned(run.Answered) is { } taken && Merkle.Root(CollectionsMarshal.AsSpan(run.Inputs)) is var root && root != taken.Receipt.InRoot)
        {
            // What the two hops signed was compared before: the one that opens it opens something else now.
            End(hop);
            var proof = Prove(giver, giver == hop ? taken : giver.FindSigned(run.Answered), run.Rows);
            Convict(giver, run.Answered, CheckOutcome.Hard, taken.Receipt.InRoot, root, giver == hop ? "it opens something else than it signed that it got." : "it opens something else than it signed that it gave.", blamer, proof);
            return;
        }

        foreach (var rows in run.Rows)
        {
            _do(new TellShard(run.Verifier.Shard, new FeedHidden(run.Session, GenerationState.FirstEpoch, rows.Position, rows.Rows, false, rows.Hidden, [])));
            Remember(run, rows.Hidden);
        }

        run.Rows.Clear();
        Feed(hop, now);
    }

    /// <summary>
    /// Whether the keys and values of a hop may stand in the place of what came in: not where everything is checked anyway, nor where it is
    /// decided who is right. What is decided there anybody must be able to recompute without believing the hop.
    /// </summary>
    private bool MayOpen(HopAudit hop) => !Must(hop) && hop is { Dispute: null, OpensInVain: false };

    private bool HasLayers(HopAudit hop) => hop.Hop.Range.EndLayer(_plan.Model.Layers) > hop.Hop.Range.FirstLayer;

    /// <summary>A hop opens what it keeps. Nothing of a unit goes on to a verifier before all of it is what the hop has signed.</summary>
    private void Opened(HopAudit hop, AuditRun run, CacheOpened message, TimeSpan now)
    {
        if (message.Position != run.Fed || message.Offset != run.Part.Count)
        {
            return;
        }

        if (message.Rows == 0)
        {
            Convict(hop, run.Answered, CheckOutcome.Soft, default, default, "it does not open what it signed.");
            return;
        }

        var isWhole = message.Offset == 0 && message.Values.Length == (long)message.Rows * message.Width;
        var isPart = message.Rows == 1 && !message.Values.IsEmpty && message.Values.Length <= message.Width - message.Offset;
        if (message.Rows > run.UnitEnd - run.Fed || message.Values.IsEmpty || !(isWhole || isPart))
        {
            Convict(hop, run.Answered, CheckOutcome.Soft, default, default, "it opens something else than it was asked for.");
            return;
        }

        run.Opened.Enqueue(new FeedCache(run.Session, GenerationState.FirstEpoch, message.Position, message.Offset, message.Rows, message.Values));
        Take(run, message);
        if (run.Fed < run.UnitEnd)
        {
            Fetch(hop, run, now);
            return;
        }

        var receipt = hop.Find(run.Answered)!;
        if (Merkle.Root(CollectionsMarshal.AsSpan(run.Inputs)) is var root && root != receipt.KvRoot)
        {
            Convict(hop, run.Answered, CheckOutcome.Hard, receipt.KvRoot, root, "it opens other keys and values than it signed.");
            return;
        }

        GiveCache(hop, run, now);
    }

    private static void Take(AuditRun run, CacheOpened message)
    {
        var values = message.Values.Span;
        if (values.Length < message.Width)
        {
            run.Part.AddRange(values);
            if (run.Part.Count < message.Width)
            {
                return;
            }

            run.Inputs.Add(PositionDigest.OfRow(CollectionsMarshal.AsSpan(run.Part)));
            run.Part.Clear();
        }

        for (; !values.IsEmpty && values.Length >= message.Width; values = values[message.Width..])
        {
            run.Inputs.Add(PositionDigest.OfRow(values[..message.Width]));
        }

        run.Fed += message.Rows;
    }

    /// <summary>Gives a verifier what was opened, as much as it has given credit for; then what comes next.</summary>
    private void GiveCache(HopAudit hop, AuditRun run, TimeSpan now)
    {
        run.Deadline = now + StepPatience;
        while (run.UnderWay.Count < ProtocolLimits.HiddenCredit && run.Opened.TryDequeue(out var next))
        {
            run.UnderWay.Enqueue(next.Position);
            _do(new TellShard(run.Verifier.Shard, next));
        }

        if (run.UnderWay.Count == 0)
        {
            run.Answered = run.UnitEnd;
            Feed(hop, now);
        }
    }

    /// <summary>A verifier has taken a message with keys and values.</summary>
    private void Taken(HopAudit hop, AuditRun run, int position, TimeSpan now)
    {
        if (run is { IsOpening: true } && run.UnderWay.TryPeek(out var oldest) && oldest == position)
        {
            run.UnderWay.Dequeue();
            GiveCache(hop, run, now);
        }
    }
}
