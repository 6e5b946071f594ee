using System.Collections.Immutable;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Auditing;

/// <summary>An answer with what every hop of its route signed for it: it can be checked long after the cluster is gone.</summary>
/// <param name="Terms">What was asked of every hop of the session, which each signed.</param>
/// <param name="PromptTokens">The prompt's token ids, at least one.</param>
/// <param name="Tokens">The token ids of the answer, at least one.</param>
/// <param name="Logprobs">The log-probability of each as the head reported it.</param>
/// <param name="Hops">The hops in execution order.</param>
/// <param name="Root">The root over all receipts (<see cref="AnswerRules.Root"/>).</param>
public sealed record SignedAnswer(
    SessionTerms Terms,
    ImmutableArray<int> PromptTokens,
    ImmutableArray<int> Tokens,
    ImmutableArray<float> Logprobs,
    ImmutableArray<SignedHop> Hops,
    Digest Root)
{
    /// <summary>Positions that were computed: the last token was drawn and not computed on.</summary>
    public int Positions => PromptTokens.Length + Tokens.Length - 1;
}

/// <summary>What one hop signed for an answer.</summary>
/// <param name="Range">The units that it computed.</param>
/// <param name="PublicKey">Its device's Ed25519 public key, 32 bytes.</param>
/// <param name="Units">Its receipts with signatures, from the first position on.</param>
public sealed record SignedHop(LayerRange Range, ReadOnlyMemory<byte> PublicKey, ImmutableArray<SignedReceipt> Units);
