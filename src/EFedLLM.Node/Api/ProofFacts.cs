using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Node.Api;

/// <summary>What <c>efedllm ledger prove --json</c> prints: the keys are fixed. What cannot be read from the proof is left out.</summary>
/// <param name="Result"><c>holds</c>, <c>doesNotHold</c> or <c>cannotTell</c>.</param>
/// <param name="Text">Why, in a sentence.</param>
/// <param name="Proof">The content hash, 64 hexadecimal digits.</param>
/// <param name="Device">The device that signed.</param>
/// <param name="Model">The id of the model.</param>
/// <param name="First">The first unit that it computed.</param>
/// <param name="End">One past the last one.</param>
/// <param name="Session">The session.</param>
/// <param name="Position">The first position of the disputed work.</param>
/// <param name="Rows">Its positions.</param>
/// <param name="Receipts">How many receipts of the device the proof holds.</param>
/// <param name="Signed">What the device signed, as the ledger shows it; left out where signatures alone prove it.</param>
/// <param name="Right">What is right by the proof; left out where nothing is computed.</param>
/// <param name="Cluster">The id of the cluster in which it was signed.</param>
internal sealed record ProofFacts(
    string Result,
    string Text,
    string? Proof = null,
    string? Device = null,
    string? Model = null,
    int? First = null,
    int? End = null,
    string? Session = null,
    int? Position = null,
    int? Rows = null,
    int? Receipts = null,
    string? Signed = null,
    string? Right = null,
    string? Cluster = null)
{
    /// <summary>The facts of a proof that was replayed.</summary>
    /// <param name="bytes">The proof in its stored form, as far as it is one.</param>
    /// <param name="outcome">What came of replaying it.</param>
    public static ProofFacts Of(byte[] bytes, ReplayOutcome outcome)
    {
        var facts = Of(outcome) with { Proof = Digest.Of(bytes).ToString() };
        try
        {
            if (SignatureProof.IsOne(bytes))
            {
                var signed = SignatureProof.Read(bytes);
                return facts with
                {
                    Device = signed.Device.Value,
                    Session = signed.Session.ToString(),
                    Position = signed.Position,
                    Receipts = signed.Receipts.Length,
                    Cluster = signed.Cluster.ToString(),
                };
            }

            var proof = WorkProof.Read(bytes);
            var disputed = proof.Disputed;
            return facts with
            {
                Device = disputed.Device.Value,
                Model = disputed.Model.Value,
                First = disputed.Range.First,
                End = disputed.Range.End,
                Session = disputed.Session.ToString(),
                Position = disputed.Position,
                Rows = disputed.Rows,
                Receipts = proof.Receipts.Length,
                Signed = proof.Signed.ToString(),
                Right = proof.Right.ToString(),
                Cluster = disputed.Cluster.ToString(),
            };
        }
        catch (InvalidDataException)
        {
            // The outcome says so.
            return facts;
        }
    }

    /// <summary>The facts where there is no proof to look at.</summary>
    public static ProofFacts Of(ReplayOutcome outcome) => new(
        outcome.Result switch { ReplayResult.Holds => "holds", ReplayResult.DoesNotHold => "doesNotHold", _ => "cannotTell" }, outcome.Text);
}
