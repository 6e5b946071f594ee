using System.Runtime.InteropServices;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>A receipt with its signature where many of the same work lie together.</summary>
internal static class ReceiptForm
{
    /// <summary>The form.</summary>
    /// <param name="signed">The receipt.</param>
    /// <param name="hasPrevious">Whether the hash of the one before it is in it: where that does not follow from what lies before it.</param>
    public static Form.ProofReceipt Write(SignedReceipt signed, bool hasPrevious)
    {
        var receipt = signed.Receipt;
        return new Form.ProofReceipt
        {
            Epoch = receipt.Epoch,
            HopIndex = receipt.HopIndex,
            Position = receipt.Position,
            Rows = receipt.Rows,
            InRoot = Values.Write(receipt.InRoot),
            OutRoot = Values.Write(receipt.OutRoot),
            KvRoot = Values.Write(receipt.KvRoot),
            Signature = ByteString.CopyFrom(signed.Signature.AsSpan()),
            Previous = hasPrevious ? Values.Write(receipt.Previous) : ByteString.Empty,
        };
    }

    /// <summary>What all of them are about.</summary>
    /// <exception cref="MalformedMessageException">It makes no sense.</exception>
    public static (ClusterId Cluster, DeviceId Device, SessionId Session, ModelId Model, LayerRange Range) ReadWork(
        ByteString cluster, ByteString publicKey, Form.Id128? session, Form.Id256? model, Form.Range? range)
        => publicKey.Length == DeviceKey.PublicKeyBytes
            ? (Values.Cluster(cluster), DeviceKey.IdOf(publicKey.Span), Values.Session(session), Values.Model(model), Values.Range(range))
            : throw new MalformedMessageException($"public_key has {publicKey.Length} bytes; it must have {DeviceKey.PublicKeyBytes}.");

    /// <summary>The receipt of a form.</summary>
    /// <param name="form">The form.</param>
    /// <param name="work">What it is about.</param>
    /// <param name="previous">The hash of the receipt before it.</param>
    /// <exception cref="MalformedMessageException">It makes no sense.</exception>
    public static SignedReceipt Read(Form.ProofReceipt form, (ClusterId Cluster, DeviceId Device, SessionId Session, ModelId Model, LayerRange Range) work, Digest previous)
    {
        if (form.Signature.Length != DeviceKey.SignatureBytes)
        {
            throw new MalformedMessageException($"signature has {form.Signature.Length} bytes; it must have {DeviceKey.SignatureBytes}.");
        }

        var (epoch, hop, position) = (Values.Epoch(form.Epoch), Values.HopIndex(form.HopIndex), Values.Position(form.Position));
        var rows = Require.Within(form.Rows, 1, Math.Min(UnitCut.Rows, ProtocolLimits.SessionTokens - position), "rows");
        var receipt = new Receipt(
            work.Cluster, work.Session, epoch, hop, work.Device, work.Model, work.Range, position, rows, Values.Digest(form.InRoot, "in_root"), Values.Digest(form.OutRoot, "out_root"),
            Values.Digest(form.KvRoot, "kv_root"), previous);
        return new SignedReceipt(receipt, ImmutableCollectionsMarshal.AsImmutableArray(form.Signature.ToByteArray()));
    }
}
