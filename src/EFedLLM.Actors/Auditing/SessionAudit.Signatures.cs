using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>Verdicts that signatures alone prove, without anything recomputed.</summary>
internal sealed partial class SessionAudit
{
    private const string UnsoundResult = "it gave a value that is not finite, or larger than any model's.";
    private const string DifferentThings = "two hops signed different things about what went from one to the other.";

    private void ConvictOfTwoReceipts(HopAudit hop, SignedReceipt before, SignedReceipt now)
    {
        var proof = Prove(new SignatureProof(SignatureFault.TwoReceipts, KeyOf(hop), default, [before, now], [], default));
        Convict(hop, now.Receipt.Position, CheckOutcome.Hard, before.Receipt.Hash, now.Receipt.Hash, "it signed two different receipts of the same unit.", null, proof);
    }

    private void Contradict(HopAudit before, HopAudit after, SignedReceipt given, SignedReceipt taken)
    {
        // Which of the two lies cannot be told from outside: one that does it again and again is in every pair.
        var proof = Prove(new SignatureProof(SignatureFault.Contradiction, KeyOf(before), KeyOf(after), [given, taken], [], default));
        var (position, sent, got) = (given.Receipt.Position, given.Receipt.OutRoot, taken.Receipt.InRoot);
        Report(before.Hop.Device, before, CheckOutcome.Soft, TrustRole.Server, position, after.Hop.Device, got, sent, DifferentThings + proof.Lack, proof.Proof);
        Report(after.Hop.Device, after, CheckOutcome.Soft, TrustRole.Server, position, before.Hop.Device, sent, got, DifferentThings + proof.Lack, proof.Proof);
        Convicted ??= new Conviction(after.Hop, position, "what it says it got is not what the hop before it says it gave.", before.Hop);
    }

    /// <summary>What proves that a hop opens something else than it signed.</summary>
    /// <param name="giver">The hop.</param>
    /// <param name="signed">Its receipt of the unit; null where it was not heard of.</param>
    /// <param name="rows">All that it opened of the unit.</param>
    private Proven Prove(HopAudit giver, SignedReceipt? signed, List<KeptRows> rows)
        => signed is null
            ? new Proven(default, " It is not proven to others: its receipt is not here.")
            : Prove(new SignatureProof(SignatureFault.OpenedOtherwise, KeyOf(giver), default, [signed], [.. rows.Select(Signed)], default));

    /// <summary>What proves that a hop gave what no model gives.</summary>
    /// <param name="giver">The hop.</param>
    /// <param name="kept">What it opened.</param>
    /// <param name="row">The row that cannot be, [hidden].</param>
    private Proven ProveUnsound(HopAudit giver, KeptRows kept, ReadOnlyMemory<float> row)
        => Prove(new SignatureProof(SignatureFault.Unsound, KeyOf(giver), default, [], [Signed(kept)], row));

    private SignedOpening Signed(KeptRows rows) => new(rows.OpeningOf(_terms.Cluster), rows.Signature);

    /// <summary>Has a proof kept that holds; or says why it does not.</summary>
    private Proven Prove(SignatureProof proof)
        => SignatureRules.Problem(proof) is { } problem ? new Proven(default, $" It is not proven to others: {problem}") : Keep(proof.ToBytes());
}
