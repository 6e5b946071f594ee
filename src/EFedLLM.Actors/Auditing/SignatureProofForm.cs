using System.Collections.Immutable;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Auditing;

/// <summary>A proof by signatures alone as it is stored.</summary>
internal static class SignatureProofForm
{
    private static ReadOnlySpan<byte> Version => "efedllm signature proof 1\n"u8;

    /// <summary>Whether bytes begin as one does.</summary>
    public static bool IsOne(ReadOnlySpan<byte> bytes) => bytes.StartsWith(Version);

    /// <summary>The stored form.</summary>
    public static byte[] Write(SignatureProof proof)
    {
        var form = new Form.SignatureProof
        {
            Fault = (int)proof.Fault,
            PublicKey = ByteString.CopyFrom(proof.PublicKey.Span),
            Other = ByteString.CopyFrom(proof.Other.Span),
            Row = ProofEnvelope.Write(proof.Row),
        };
        foreach (var signed in proof.Receipts)
        {
            var receipt = signed.Receipt;
            form.Receipts.Add(new Form.WholeReceipt
            {
                Cluster = Values.Write(receipt.Cluster),
                Session = Values.Write(receipt.Session),
                Model = Values.Write(receipt.Model),
                Range = Values.Write(receipt.Range),
                Receipt = ReceiptForm.Write(signed, hasPrevious: true),
            });
        }

        foreach (var (opening, signature) in proof.Openings.Select(signed => (signed.Opening, signed.Signature)))
        {
            form.Openings.Add(new Form.WholeOpening
            {
                Cluster = Values.Write(opening.Cluster),
                Session = Values.Write(opening.Session),
                Epoch = opening.Epoch,
                HopIndex = opening.HopIndex,
                Position = opening.Position,
                Taken = opening.Taken,
                Rows = ProofEnvelope.Write(opening.Rows.AsSpan()),
                Signature = ByteString.CopyFrom(signature.AsSpan()),
            });
        }

        return ProofEnvelope.Close(Version, form);
    }

    /// <summary>The proof of a stored form.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static SignatureProof Read(ReadOnlySpan<byte> bytes) => ProofEnvelope.Open(Version, bytes, Form.SignatureProof.Parser, Read);

    private static SignatureProof Read(Form.SignatureProof form)
    {
        var fault = Require.Defined<SignatureFault>(form.Fault, "fault");
        Require.Count(form.Receipts.Count, 2, "receipts");
        Require.Count(form.Openings.Count, UnitCut.Rows, "openings");
        if (form.Receipts.Count + form.Openings.Count == 0)
        {
            throw new MalformedMessageException("nothing in it is signed.");
        }

        // The second receipt of a contradiction is the other device's.
        var receipts = form.Receipts.Select((each, index) => ReceiptForm.Read(
            Require.Present(each.Receipt, "receipt"),
            ReceiptForm.ReadWork(each.Cluster, fault == SignatureFault.Contradiction && index == 1 ? form.Other : form.PublicKey, each.Session, each.Model, each.Range),
            Values.Digest(each.Receipt.Previous, "previous")));
        return new SignatureProof(
            fault,
            Key(form.PublicKey),
            form.Other.IsEmpty ? default(ReadOnlyMemory<byte>) : Key(form.Other),
            [.. receipts],
            [.. form.Openings.Select(Read)],
            form.Row.Length <= ProtocolLimits.RowBytes ? ProofEnvelope.Rows(form.Row) : throw new MalformedMessageException($"{form.Row.Length} bytes are no row."));
    }

    private static SignedOpening Read(Form.WholeOpening form)
    {
        var (position, rows) = (Values.Position(form.Position), ProofEnvelope.Digests(form.Rows));
        Require.Within(rows.Length, 1, ProtocolLimits.SessionTokens - position, "rows");
        return form.Signature.Length == DeviceKey.SignatureBytes
            ? new SignedOpening(
                new Opening(Values.Cluster(form.Cluster), Values.Session(form.Session), Values.Epoch(form.Epoch), Values.HopIndex(form.HopIndex), position, form.Taken, [.. rows]),
                [.. form.Signature.Span])
            : throw new MalformedMessageException($"signature has {form.Signature.Length} bytes; it must have {DeviceKey.SignatureBytes}.");
    }

    private static byte[] Key(ByteString form)
        => form.Length == DeviceKey.PublicKeyBytes ? form.ToByteArray() : throw new MalformedMessageException($"a key has {form.Length} bytes; it must have {DeviceKey.PublicKeyBytes}.");
}
