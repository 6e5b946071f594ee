using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What the ledger hears where a hop did not take what the hop before sent, or came to no result itself. Nothing was recomputed: so all of it is soft.</summary>
internal sealed partial class SessionAudit
{
    /// <summary>A hop opens what cannot be: it gave it, and nobody else.</summary>
    /// <param name="giver">The hop.</param>
    /// <param name="taker">Who did not take it.</param>
    /// <param name="kept">What it opens: one row.</param>
    public void Unsound(Hop giver, DeviceId taker, KeptRows kept)
    {
        var proof = _hops.TryGetValue(giver.Shard, out var audit) ? ProveUnsound(audit, kept, kept.Hidden) : default;
        Blame(giver, kept.Position, taker, default, PositionDigest.OfRow(kept.Hidden.Span), UnsoundResult + proof.Lack, proof.Proof);
    }

    /// <summary>A hop says that what it computes is not finite. Of inputs that were taken no honest device comes to that.</summary>
    /// <param name="hop">The hop.</param>
    /// <param name="position">A position up to which it had computed.</param>
    public void Overflowed(Hop hop, int position) => Blame(hop, position, _audit.Gateway, default, default, "what it computed is not finite.");

    /// <summary>A hop does not open what the next one did not take.</summary>
    /// <param name="giver">The hop.</param>
    /// <param name="position">The position.</param>
    /// <param name="taker">Who did not take it.</param>
    public void Unopened(Hop giver, int position, DeviceId taker) => Blame(giver, position, taker, default, default, "it does not open what it signed.");

    /// <summary>A hop opens what the next one could have taken: one of the two lies, and which of them cannot be told from outside.</summary>
    /// <param name="giver">The hop.</param>
    /// <param name="taker">The next one.</param>
    /// <param name="position">The position.</param>
    /// <param name="row">What the first one opens, [hidden].</param>
    public void Contradicted(Hop giver, Hop taker, int position, ReadOnlySpan<float> row)
    {
        const string Reason = "two hops say different things about what went from one to the other.";
        var opened = PositionDigest.OfRow(row);
        Blame(giver, position, taker.Device, default, opened, Reason);
        Blame(taker, position, giver.Device, opened, default, Reason);
    }

    private void Blame(Hop hop, int position, DeviceId other, Digest expected, Digest found, string reason, Digest proof = default)
    {
        if (_hops.TryGetValue(hop.Shard, out var audit))
        {
            Report(hop.Device, audit, CheckOutcome.Soft, TrustRole.Server, position, other, expected, found, reason, proof);
        }
    }
}
