using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>When a proof is whole: then only recomputing it tells whether it holds.</summary>
public static class ProofRules
{
    /// <summary>
    /// What is wrong with a proof, for people; null when the device signed that just these inputs came in at every position from the
    /// session's first one to the end of the disputed unit, under just these terms, and, for the head, after which of the unit's positions it drew.
    /// </summary>
    public static string? Problem(WorkProof proof)
    {
        ArgumentNullException.ThrowIfNull(proof);
        return ReceiptChain.Problem(proof.PublicKey.Span, proof.Receipts, proof.Terms) ?? InputProblem(proof) ?? HeadProblem(proof);
    }

    private static string? InputProblem(WorkProof proof)
    {
        var (isFirst, positions) = (proof.Disputed.Range.HasEmbedding, proof.Positions);
        var width = isFirst ? 0 : proof.Hidden.Length / positions;
        if (isFirst
            ? proof.Tokens.Length != positions || !proof.Hidden.IsEmpty
            : !proof.Tokens.IsEmpty || width is < 1 or > ProtocolLimits.RowBytes / sizeof(float) || width * positions != proof.Hidden.Length)
        {
            return $"it has not one input for each of {positions} positions.";
        }

        Span<Digest> digests = stackalloc Digest[UnitCut.Rows];
        foreach (var receipt in proof.Receipts.Select(signed => signed.Receipt))
        {
            for (var row = 0; row < receipt.Rows; row++)
            {
                var position = receipt.Position + row;
                digests[row] = isFirst ? PositionDigest.OfToken(proof.Tokens[position]) : PositionDigest.OfRow(proof.Hidden.Span.Slice(position * width, width));
            }

            if (Merkle.Root(digests[..receipt.Rows]) != receipt.InRoot)
            {
                return $"its inputs from position {receipt.Position} on are not those that the device signed that it got.";
            }
        }

        return null;
    }

    private static string? HeadProblem(WorkProof proof)
    {
        if (SamplingRules.Problem(proof.Terms.Sampling) is { } problem)
        {
            return problem;
        }

        if (proof.Drawn.IsEmpty)
        {
            return null;
        }

        if (proof.Drawn.Length != proof.Disputed.Rows || Merkle.Root(proof.Drawn.AsSpan()) != proof.Disputed.OutRoot)
        {
            return "what it says was drawn is not what the device signed.";
        }

        // Where nothing is drawn after a row nobody asked for it: what is recomputed has to begin behind it.
        return proof.Drawn.AsSpan()[proof.DrawnFrom..].Contains(default(Digest)) ? "the device signed that it drew, and then that it did not: what is to be recomputed cannot be told." : null;
    }
}
