using System.Runtime.InteropServices;
using Akka.Actor;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What hops open of what they keep, so that a verifier need not compute again what nobody chose.</summary>
internal sealed partial class SessionAudit
{
    /// <summary>A hop opens what it keeps.</summary>
    public void Opened(CacheOpened message, IActorRef sender, TimeSpan now)
    {
        if (_hops.TryGetValue(sender, out var hop) && message.Epoch == _epoch && hop.Run is { IsOpen: true, IsOpening: true } run && run.Fed < run.UnitEnd)
        {
            Opened(hop, run, message, now);
        }
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
