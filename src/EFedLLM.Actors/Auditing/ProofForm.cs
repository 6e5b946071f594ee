using System.Collections.Immutable;
using System.Text;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// A proof as it is stored: a line that names the version, the protobuf form, and the SHA-256 of both, so that what a disk or a network
/// changed is no proof. Nothing is allocated by what the bytes claim: every part is as long as the bytes that are there.
/// </summary>
internal static class ProofForm
{
    private static readonly byte[] Version = Encoding.ASCII.GetBytes("efedllm proof 1\n");

    private static readonly MessageParser<Form.WorkProof> Parser = Form.WorkProof.Parser;

    /// <summary>The stored form.</summary>
    public static byte[] Write(WorkProof proof)
    {
        var first = proof.Receipts[0].Receipt;
        var form = new Form.WorkProof
        {
            PublicKey = ByteString.CopyFrom(proof.PublicKey.Span),
            Session = Values.Write(first.Session),
            Model = Values.Write(first.Model),
            Range = Values.Write(first.Range),
            Hidden = UnsafeByteOperations.UnsafeWrap(LittleEndian(proof.Hidden)),
            Sampling = proof.Sampling is { } sampling ? Values.Write(sampling) : null,
            Drawn = UnsafeByteOperations.UnsafeWrap(Bytes(proof.Drawn)),
            Right = Values.Write(proof.Right),
        };
        form.Receipts.AddRange(proof.Receipts.Select(signed => ReceiptForm.Write(signed, hasPrevious: false)));
        Values.Write(form.Tokens, proof.Tokens);
        var bytes = new byte[Version.Length + form.CalculateSize() + Digest.Bytes];
        Version.CopyTo(bytes, 0);
        var body = bytes.AsSpan(Version.Length, bytes.Length - Version.Length - Digest.Bytes);
        form.WriteTo(body);
        Digest.Of(bytes.AsSpan(0, bytes.Length - Digest.Bytes)).Write(bytes.AsSpan(bytes.Length - Digest.Bytes));
        return bytes;
    }

    /// <summary>The proof of a stored form.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static WorkProof Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > WorkProof.MostBytes || bytes.Length <= Version.Length + Digest.Bytes || !bytes.StartsWith(Version))
        {
            throw new InvalidDataException("It is no proof of this version.");
        }

        if (Digest.Of(bytes[..^Digest.Bytes]) != Digest.Read(bytes[^Digest.Bytes..]))
        {
            throw new InvalidDataException("It was changed since it was made, or is cut off.");
        }

        try
        {
            return Read(Parser.ParseFrom(bytes[Version.Length..^Digest.Bytes]));
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or MalformedMessageException)
        {
            throw new InvalidDataException($"It is no proof: {error.Message}", error);
        }
    }

    private static WorkProof Read(Form.WorkProof form)
    {
        var work = ReceiptForm.ReadWork(form.PublicKey, form.Session, form.Model, form.Range);
        Require.Within(form.Receipts.Count, 1, ProtocolLimits.SessionTokens / UnitCut.Rows, "number of receipts");
        var receipts = ImmutableArray.CreateBuilder<SignedReceipt>(form.Receipts.Count);
        Receipt? before = null;
        foreach (var each in form.Receipts)
        {
            var signed = ReceiptForm.Read(each, work, ReceiptChain.Previous(before, each.Epoch));
            receipts.Add(signed);
            before = signed.Receipt;
        }

        return new WorkProof(
            form.PublicKey.ToByteArray(),
            receipts.MoveToImmutable(),
            Values.Tokens(form.Tokens, ProtocolLimits.SessionTokens, "tokens"),
            Rows(form.Hidden),
            form.Sampling is null ? null : Values.Sampling(form.Sampling),
            Digests(form.Drawn),
            Values.Digest(form.Right, "right"));
    }

    private static float[] Rows(ByteString bytes)
    {
        if (bytes.Length % sizeof(float) != 0)
        {
            throw new MalformedMessageException($"{bytes.Length} bytes are no float32 values.");
        }

        var rows = new float[bytes.Length / sizeof(float)];
        HiddenFraming.CopyFromLittleEndian<float>(bytes.Span, rows, BitConverter.IsLittleEndian);
        return rows;
    }

    private static byte[] LittleEndian(ReadOnlyMemory<float> rows)
    {
        var bytes = new byte[rows.Length * sizeof(float)];
        HiddenFraming.CopyToLittleEndian(rows.Span, bytes, BitConverter.IsLittleEndian);
        return bytes;
    }

    private static ImmutableArray<Digest> Digests(ByteString bytes)
    {
        if (bytes.Length % Digest.Bytes != 0 || bytes.Length > UnitCut.Rows * Digest.Bytes)
        {
            throw new MalformedMessageException($"{bytes.Length} bytes are not the digests of one unit.");
        }

        var digests = ImmutableArray.CreateBuilder<Digest>(bytes.Length / Digest.Bytes);
        for (var at = 0; at < bytes.Length; at += Digest.Bytes)
        {
            digests.Add(Digest.Read(bytes.Span.Slice(at, Digest.Bytes)));
        }

        return digests.MoveToImmutable();
    }

    private static byte[] Bytes(ImmutableArray<Digest> digests)
    {
        var bytes = new byte[digests.Length * Digest.Bytes];
        for (var i = 0; i < digests.Length; i++)
        {
            digests[i].Write(bytes.AsSpan(i * Digest.Bytes));
        }

        return bytes;
    }
}
