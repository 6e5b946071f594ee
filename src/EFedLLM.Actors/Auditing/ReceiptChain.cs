using System.Collections.Immutable;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What a device's receipts of one hop of a session must look like together, from the session's first position on.</summary>
public static class ReceiptChain
{
    /// <summary>What a receipt names as the one before it.</summary>
    /// <param name="before">That one, or null for the first.</param>
    /// <param name="epoch">The epoch of the receipt: each epoch's chain begins anew.</param>
    /// <param name="terms">The hash of the session's terms.</param>
    public static Digest Previous(Receipt? before, int epoch, Digest terms) => before is not null && before.Epoch == epoch ? before.Hash : terms;

    /// <summary>What is wrong with a hop's receipts, for people; null when the owner of the key signed each, and each follows the one before it without a gap.</summary>
    /// <param name="publicKey">The device's public key.</param>
    /// <param name="units">The receipts with their signatures, in order.</param>
    /// <param name="terms">The session's terms.</param>
    public static string? Problem(ReadOnlySpan<byte> publicKey, ImmutableArray<SignedReceipt> units, SessionTerms terms)
    {
        if (publicKey.Length != DeviceKey.PublicKeyBytes)
        {
            return $"a public key has {DeviceKey.PublicKeyBytes} bytes, not {publicKey.Length}.";
        }

        if (units.IsDefaultOrEmpty)
        {
            return "there is no receipt.";
        }

        var (device, first, hash, end) = (DeviceKey.IdOf(publicKey), units[0].Receipt, terms.Hash, 0);
        Receipt? before = null;
        foreach (var (receipt, signature) in units.Select(signed => (signed.Receipt, signed.Signature)))
        {
            if (receipt.Cluster != terms.Cluster)
            {
                return $"the receipt of position {receipt.Position} is of cluster {receipt.Cluster.Short}, and not of {terms.Cluster.Short}.";
            }

            if ((receipt.Session, receipt.Device, receipt.Model, receipt.Range) != (terms.Session, device, terms.Model, first.Range))
            {
                return $"the receipt of position {receipt.Position} is about other work, or another device's.";
            }

            if (receipt.Position != end || end % UnitCut.Rows != 0 || receipt.Rows is < 1 or > UnitCut.Rows || receipt.Epoch < (before?.Epoch ?? 1))
            {
                return $"the receipt of position {receipt.Position} does not follow what is signed up to {end}.";
            }

            if (receipt.Previous != Previous(before, receipt.Epoch, hash))
            {
                return before?.Epoch == receipt.Epoch
                    ? $"the receipt of position {receipt.Position} names another one before it."
                    : $"the receipt of position {receipt.Position} is signed under other terms: another way to draw, or other nonces.";
            }

            if (!DeviceKey.Verify(publicKey, receipt.ToStatement(), signature.AsSpan()))
            {
                return $"the receipt of position {receipt.Position} is not signed by device {device.Short}.";
            }

            (before, end) = (receipt, receipt.Position + receipt.Rows);
        }

        return null;
    }
}
