using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// When a <see cref="SignatureProof"/> holds. What it compares was signed in one cluster, session and epoch: an honest device may well sign two
/// different things in two epochs, as the route's repair may have brought it other inputs.
/// </summary>
public static class SignatureRules
{
    /// <summary>Why a proof does not hold, for people; null when it does.</summary>
    public static string? Problem(SignatureProof proof)
    {
        ArgumentNullException.ThrowIfNull(proof);
        return SignatureProblem(proof) ?? proof.Fault switch
        {
            SignatureFault.TwoReceipts => TwoReceiptsProblem(proof),
            SignatureFault.Contradiction => ContradictionProblem(proof),
            SignatureFault.OpenedOtherwise => OpeningProblem(proof),
            SignatureFault.Unsound => UnsoundProblem(proof),
            _ => "it proves nothing that this program knows.",
        };
    }

    /// <summary>What a proof that holds shows, for people.</summary>
    public static string Describe(SignatureProof proof)
    {
        ArgumentNullException.ThrowIfNull(proof);
        var who = $"device {proof.Device.Short}";
        return proof.Fault switch
        {
            SignatureFault.TwoReceipts => $"{who} signed two different receipts of the unit at position {proof.Position}.",
            SignatureFault.Contradiction => $"{who} and device {DeviceKey.IdOf(proof.Other.Span).Short} signed different things about what went from one to the other from position {proof.Position} on: one of the two lies.",
            SignatureFault.OpenedOtherwise => $"{who} signed something else of the unit at position {proof.Position} than it opened later, and signed too.",
            _ => $"{who} signed that it gave or got a value that is not finite, or larger than any model's, from position {proof.Position} on.",
        };
    }

    private static string? SignatureProblem(SignatureProof proof)
    {
        var (receipts, openings, two) = proof.Fault switch
        {
            SignatureFault.TwoReceipts => (2, 0, false),
            SignatureFault.Contradiction => (2, 0, true),
            SignatureFault.OpenedOtherwise => (1, proof.Openings.Length, false),
            _ => (0, 1, false),
        };
        if (proof.PublicKey.Length != DeviceKey.PublicKeyBytes || proof.Other.Length != (two ? DeviceKey.PublicKeyBytes : 0)
            || proof.Receipts.Length != receipts || proof.Openings.Length != openings || openings > UnitCut.Rows || proof.Row.IsEmpty == (proof.Fault == SignatureFault.Unsound))
        {
            return "it has not what proves such a thing.";
        }

        foreach (var (index, (receipt, signature)) in proof.Receipts.Select(signed => (signed.Receipt, signed.Signature)).Index())
        {
            var key = two && index == 1 ? proof.Other.Span : proof.PublicKey.Span;
            if (receipt.Device != DeviceKey.IdOf(key) || !DeviceKey.Verify(key, receipt.ToStatement(), signature.AsSpan()))
            {
                return $"a receipt is not signed by device {DeviceKey.IdOf(key).Short}.";
            }
        }

        return proof.Openings.All(signed => DeviceKey.Verify(proof.PublicKey.Span, signed.Opening.ToStatement(), signed.Signature.AsSpan()))
            ? null
            : $"an opening is not signed by device {proof.Device.Short}.";
    }

    private static string? TwoReceiptsProblem(SignatureProof proof)
    {
        var (one, other) = (proof.Receipts[0].Receipt, proof.Receipts[1].Receipt);
        return (one.Cluster, one.Session, one.Epoch, one.HopIndex, one.Position) != (other.Cluster, other.Session, other.Epoch, other.HopIndex, other.Position)
            ? "its receipts are of two units, or of two epochs."
            : one == other ? "its receipts say the same." : null;
    }

    private static string? ContradictionProblem(SignatureProof proof)
    {
        var (given, taken) = (proof.Receipts[0].Receipt, proof.Receipts[1].Receipt);
        return (given.Cluster, given.Session, given.Epoch, given.Model, given.HopIndex + 1, given.Range.End, given.Position, given.Rows)
            != (taken.Cluster, taken.Session, taken.Epoch, taken.Model, taken.HopIndex, taken.Range.First, taken.Position, taken.Rows)
            ? "its receipts are not of two neighbours, of one unit and one epoch."
            : given.OutRoot == taken.InRoot ? "its receipts say the same of what went from one to the other." : null;
    }

    private static string? OpeningProblem(SignatureProof proof)
    {
        var (receipt, end) = (proof.Receipts[0].Receipt, proof.Receipts[0].Receipt.Position);
        foreach (var opening in proof.Openings.Select(signed => signed.Opening))
        {
            if ((opening.Cluster, opening.Session, opening.Epoch, opening.HopIndex, opening.Position, opening.Taken)
                != (receipt.Cluster, receipt.Session, receipt.Epoch, receipt.HopIndex, end, proof.Openings[0].Opening.Taken))
            {
                return "its openings are not those of the receipt's positions, or of another epoch.";
            }

            end = opening.End;
        }

        return end != receipt.Position + receipt.Rows ? "its openings are not those of the receipt's positions."
            : Merkle.Root([.. proof.Openings.SelectMany(signed => signed.Opening.Rows)]) == (proof.Openings[0].Opening.Taken ? receipt.InRoot : receipt.OutRoot) ? "what was opened is what was signed."
            : null;
    }

    private static string? UnsoundProblem(SignatureProof proof)
        => !proof.Openings[0].Opening.Rows.Contains(PositionDigest.OfRow(proof.Row.Span)) ? "its row is none that was opened."
            : Activations.FirstUnsound(proof.Row.Span, proof.Row.Length) < 0 ? "its row is one that a model may give."
            : null;
}
