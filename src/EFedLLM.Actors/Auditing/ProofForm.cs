using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Auditing;

/// <summary>A proof of wrong work as it is stored.</summary>
internal static class ProofForm
{
    private static ReadOnlySpan<byte> Version => "efedllm proof 2\n"u8;

    /// <summary>The stored form.</summary>
    public static byte[] Write(WorkProof proof)
    {
        var form = new Form.WorkProof
        {
            PublicKey = ByteString.CopyFrom(proof.PublicKey.Span),
            Session = Values.Write(proof.Terms.Session),
            Model = Values.Write(proof.Terms.Model),
            Range = Values.Write(proof.Disputed.Range),
            Hidden = ProofEnvelope.Write(proof.Hidden),
            Sampling = Values.Write(proof.Terms.Sampling),
            Drawn = ProofEnvelope.Write(proof.Drawn.AsSpan()),
            Right = Values.Write(proof.Right),
            Cluster = Values.Write(proof.Terms.Cluster),
            Commitment = Values.Write(proof.Terms.Commitment),
        };
        form.Receipts.AddRange(proof.Receipts.Select(signed => ReceiptForm.Write(signed, hasPrevious: false)));
        Values.Write(form.Tokens, proof.Tokens);
        return ProofEnvelope.Close(Version, form);
    }

    /// <summary>The proof of a stored form.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static WorkProof Read(ReadOnlySpan<byte> bytes) => ProofEnvelope.Open(Version, bytes, Form.WorkProof.Parser, Read);

    private static WorkProof Read(Form.WorkProof form)
    {
        var work = ReceiptForm.ReadWork(form.Cluster, form.PublicKey, form.Session, form.Model, form.Range);
        var terms = new SessionTerms(work.Cluster, work.Session, work.Model, Values.Sampling(form.Sampling), Values.Digest(form.Commitment, "commitment"));
        Require.Within(form.Receipts.Count, 1, ProtocolLimits.SessionTokens / UnitCut.Rows, "number of receipts");
        var receipts = ImmutableArray.CreateBuilder<SignedReceipt>(form.Receipts.Count);
        Receipt? before = null;
        var hash = terms.Hash;
        foreach (var each in form.Receipts)
        {
            var signed = ReceiptForm.Read(each, work, ReceiptChain.Previous(before, each.Epoch, hash));
            receipts.Add(signed);
            before = signed.Receipt;
        }

        return new WorkProof(
            form.PublicKey.ToByteArray(),
            terms,
            receipts.MoveToImmutable(),
            Values.Tokens(form.Tokens, ProtocolLimits.SessionTokens, "tokens"),
            ProofEnvelope.Rows(form.Hidden),
            [.. ProofEnvelope.Digests(form.Drawn)],
            Values.Digest(form.Right, "right"));
    }
}
