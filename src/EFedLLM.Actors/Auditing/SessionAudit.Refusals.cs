using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What the ledger hears where a hop did not take what the hop before sent. Nothing was recomputed, and no signature is about it: so all of it is soft.</summary>
internal sealed partial class SessionAudit
{
    /// <summary>A hop opens what cannot be: it gave it, and nobody else.</summary>
    /// <param name="giver">The hop.</param>
    /// <param name="position">The position.</param>
    /// <param name="taker">Who did not take it.</param>
    /// <param name="row">What it opens, [hidden].</param>
    public void Unsound(Hop giver, int position, DeviceId taker, ReadOnlySpan<float> row)
        => Blame(giver, position, taker, default, PositionDigest.OfRow(row), "it gave a value that is not finite, or larger than any model's.");

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

    private void Blame(Hop hop, int position, DeviceId other, Digest expected, Digest found, string reason)
    {
        if (_hops.TryGetValue(hop.Shard, out var audit))
        {
            Report(hop.Device, audit, CheckOutcome.Soft, TrustRole.Server, position, other, expected, found, reason);
        }
    }
}
