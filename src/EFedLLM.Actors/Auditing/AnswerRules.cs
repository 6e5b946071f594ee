using System.Collections.Immutable;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>When a signed answer is whole: the devices signed just these tokens, and what each gave is what the next one got. Whether it is right only recomputing tells.</summary>
public static class AnswerRules
{
    /// <summary>The Merkle root over the hashes of all receipts of an answer, hop by hop in execution order.</summary>
    /// <param name="hops">The hops' receipts, at most <see cref="Merkle.MostLeaves"/> together.</param>
    public static Digest Root(IEnumerable<ImmutableArray<SignedReceipt>> hops) => Merkle.Root([.. hops.SelectMany(units => units).Select(signed => signed.Receipt.Hash)]);

    /// <summary>What is wrong with a signed answer, for people; null when nothing is.</summary>
    public static string? Problem(SignedAnswer answer)
    {
        ArgumentNullException.ThrowIfNull(answer);
        if (answer.PromptTokens.IsEmpty || answer.Tokens.IsEmpty || answer.Tokens.Length != answer.Logprobs.Length || answer.Positions > ProtocolLimits.SessionTokens)
        {
            return "it has no tokens, or not one probability for each.";
        }

        if (answer.Hops.IsEmpty || answer.Hops.Length > ProtocolLimits.Hops)
        {
            return "nobody signed it.";
        }

        return SamplingRules.Problem(answer.Terms.Sampling)
            ?? HopProblem(answer)
            ?? TokenProblem(answer)
            ?? JointProblem(answer)
            ?? DrawProblem(answer)
            ?? (Root(answer.Hops.Select(hop => hop.Units)) == answer.Root ? null : "the root over its receipts is another one.");
    }

    /// <summary>The digests of what was drawn in a unit.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="receipt">The head's receipt of the unit.</param>
    /// <param name="undrawn">Rows at the unit's beginning after which nothing was drawn, as their tokens were known: of the prompt, or since a repair.</param>
    internal static Digest[] Draws(SignedAnswer answer, Receipt receipt, int undrawn)
    {
        var draws = new Digest[receipt.Rows];
        for (var row = Math.Max(undrawn, answer.PromptTokens.Length - 1 - receipt.Position); row < draws.Length; row++)
        {
            var token = receipt.Position + row + 1 - answer.PromptTokens.Length;
            draws[row] = PositionDigest.OfDraw(answer.Tokens[token], answer.Logprobs[token]);
        }

        return draws;
    }

    private static string? HopProblem(SignedAnswer answer)
    {
        var end = 0;
        foreach (var hop in answer.Hops)
        {
            if (hop.Range.First != end || hop.Range.Count < 1)
            {
                return $"its hops leave a gap at unit {end}.";
            }

            if (ReceiptChain.Problem(hop.PublicKey.Span, hop.Units, answer.Terms) is { } problem)
            {
                return problem;
            }

            var (first, last) = (hop.Units[0].Receipt, hop.Units[^1].Receipt);
            if (first.Range != hop.Range || last.Position + last.Rows != answer.Positions)
            {
                return $"device {first.Device.Short} signed something else than {answer.Positions} positions of this answer.";
            }

            end = hop.Range.End;
        }

        return null;
    }

    private static string? TokenProblem(SignedAnswer answer)
    {
        foreach (var receipt in answer.Hops[0].Units.Select(signed => signed.Receipt))
        {
            var digests = Enumerable.Range(receipt.Position, receipt.Rows).Select(position => PositionDigest.OfToken(
                position < answer.PromptTokens.Length ? answer.PromptTokens[position] : answer.Tokens[position - answer.PromptTokens.Length]));
            if (Merkle.Root([.. digests]) != receipt.InRoot)
            {
                return $"device {receipt.Device.Short} signed that it got other tokens from position {receipt.Position} on.";
            }
        }

        return null;
    }

    private static string? JointProblem(SignedAnswer answer)
    {
        for (var hop = 1; hop < answer.Hops.Length; hop++)
        {
            // All units but the last are whole, so that those of two hops lie over one another.
            foreach (var (before, after) in answer.Hops[hop - 1].Units.Zip(answer.Hops[hop].Units, (before, after) => (before.Receipt, after.Receipt)))
            {
                if (before.OutRoot != after.InRoot)
                {
                    return $"devices {before.Device.Short} and {after.Device.Short} signed different things about what went from one to the other from position {after.Position} on.";
                }
            }
        }

        return null;
    }

    private static string? DrawProblem(SignedAnswer answer)
    {
        foreach (var receipt in answer.Hops[^1].Units.Select(signed => signed.Receipt))
        {
            // After a repair the head is given what was drawn before, and signs it without drawing it again.
            var most = receipt.Epoch == 1 ? 0 : receipt.Rows;
            if (!Enumerable.Range(0, most + 1).Any(undrawn => Merkle.Root(Draws(answer, receipt, undrawn)) == receipt.OutRoot))
            {
                return $"device {receipt.Device.Short} signed that it drew other tokens from position {receipt.Position} on.";
            }
        }

        return null;
    }
}
