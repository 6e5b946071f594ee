using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What the answers mean: who is believed, who is not, and what the ledger hears of it.</summary>
internal sealed partial class SessionAudit
{
    /// <summary>What an answer says of a receipt. Whether the check goes on.</summary>
    private bool Compare(HopAudit hop, AuditRun run, Receipt receipt, UnitRecomputed answer, TimeSpan now)
    {
        var signed = Signed(receipt, run.Key);
        var isEqual = answer.Answer == signed;
        if (hop.Dispute is not { } dispute)
        {
            if (isEqual && (run.IsJudge || !_audit.Plants(receipt.Hash)))
            {
                Pass(hop, receipt, run);
                return true;
            }

            if (isEqual)
            {
                hop.Dispute = new Dispute(receipt.Position, run.Verifier, run.Key, answer.Answer, Agrees: true);
                End(hop);
                Go(hop, now);
                return false;
            }

            if (!run.IsJudge || run.HasOpened)
            {
                // The judge itself has to come to it again from what came in: of what the hop opened nobody but the hop knows.
                hop.Dispute = new Dispute(receipt.Position, run.IsJudge ? null : run.Verifier, run.Key, answer.Answer);
                hop.Spent.Add(run.Verifier.Device);
                End(hop);
                Go(hop, now);
                return false;
            }

            ConvictByProof(hop, run, receipt, answer.Answer, null);
            return false;
        }

        if (isEqual && receipt.Position < dispute.Position)
        {
            Pass(hop, receipt, run);
            return true;
        }

        // Who decides has decided: for the hop, or for the verifier that differs from it. Another verifier's word is no proof: two may lie.
        hop.Dispute = null;
        var outcome = run.IsJudge ? CheckOutcome.Hard : CheckOutcome.Soft;
        if (isEqual)
        {
            if (dispute is { Agrees: true, Verifier: { } right })
            {
                // What comes next is others' to check again.
                Report(right.Device, hop, receipt.Position);
                Pass(hop, receipt, run);
                End(hop);
                Go(hop, now);
                return false;
            }

            if (dispute.Verifier is { } wrong)
            {
                Report(wrong.Device, hop, outcome, TrustRole.Verifier, dispute, "it found something else than the right result.");
            }

            Pass(hop, receipt, run);
            return true;
        }

        if (dispute is { Agrees: true, Verifier: { } liar } && receipt.Position == dispute.Position)
        {
            // All before it is right, and so is what the hop opened of it: nobody who computes gets the same wrong result.
            Report(liar.Device, hop, outcome, TrustRole.Verifier, receipt.Position, _audit.Gateway, answer.Answer, signed, "it found the same wrong result as the device that it checked.");
        }

        if (run.IsJudge)
        {
            // A unit before the one in dispute that is wrong makes what the hop opened of it wrong too: the verifier had to differ.
            ConvictByProof(hop, run, receipt, answer.Answer, dispute.Agrees ? null : dispute.Verifier?.Device);
        }
        else
        {
            Convict(hop, receipt.Position, outcome, answer.Answer, signed, WrongResult, run.Verifier.Device);
        }

        return false;
    }

    /// <summary>What is answered under a key about a unit whose receipt is right.</summary>
    private static Digest Signed(Receipt receipt, Digest key) => PositionDigest.OfAnswer(key, receipt.OutRoot, receipt.KvRoot);

    private void Convict(HopAudit hop, int position, CheckOutcome outcome, Digest expected, Digest found, string reason, DeviceId? verifier = null, Proven proven = default)
    {
        Report(hop.Hop.Device, hop, outcome, TrustRole.Server, position, verifier ?? _audit.Gateway, expected, found, reason + proven.Lack, proven.Proof);
        End(hop);
        Convicted ??= new Conviction(hop.Hop, position, reason, null);
    }

    /// <summary>Who passed a unit that could not be recomputed here too is believed.</summary>
    private bool Believe(HopAudit hop)
    {
        if (hop.Dispute is not { Agrees: true, Verifier: { } verifier } dispute)
        {
            return false;
        }

        hop.Dispute = null;
        Pass(hop, hop.Find(dispute.Position)!, verifier.Device);
        return true;
    }

    private void Report(HopAudit hop)
    {
        if (hop.Unreported is { Rows: > 0 } passed)
        {
            _do(new ReportCheck(hop.Hop.Device, hop.Hop.Range, passed.Rows, new CheckFacts(TrustRole.Server, CheckOutcome.Passed, passed.From, passed.Verifier, default, default, default, "")));
            hop.Unreported = default;
        }
    }

    private void Pass(HopAudit hop, Receipt receipt, AuditRun run) => Pass(hop, receipt, run.IsJudge ? _audit.Gateway : run.Verifier.Device);

    private void Pass(HopAudit hop, Receipt receipt, DeviceId verifier)
    {
        if (hop.Unreported.Rows > 0 && hop.Unreported.Verifier != verifier)
        {
            Report(hop);
        }

        hop.Pass(receipt, verifier);
    }

    /// <summary>A verifier was right.</summary>
    private void Report(DeviceId verifier, HopAudit hop, int position)
        => _do(new ReportCheck(verifier, hop.Hop.Range, hop.Find(position)!.Rows, new CheckFacts(TrustRole.Verifier, CheckOutcome.Passed, position, _audit.Gateway, default, default, default, "")));

    private void Report(DeviceId device, HopAudit hop, CheckOutcome outcome, TrustRole role, Dispute dispute, string reason)
        => Report(device, hop, outcome, role, dispute.Position, hop.Hop.Device, Signed(hop.Find(dispute.Position)!, dispute.Key), dispute.Answer, reason);

    private void Report(DeviceId device, HopAudit hop, CheckOutcome outcome, TrustRole role, int position, DeviceId verifier, Digest expected, Digest found, string reason, Digest proof = default)
        => _do(new ReportCheck(device, hop.Hop.Range, hop.Find(position)?.Rows ?? 1, new CheckFacts(role, outcome, position, verifier, expected, found, proof, reason)));

    private Digest RootOfTokens(int position, int rows) => Merkle.Root([.. _tokens(position, rows).Select(PositionDigest.OfToken)]);
}
