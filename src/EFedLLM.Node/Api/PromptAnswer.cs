namespace EFedLLM.Node.Api;

/// <summary>What <c>efedllm prompt --json</c> prints: the keys are fixed.</summary>
/// <param name="Text">The answer.</param>
/// <param name="PromptTokenIds">The prompt as token ids.</param>
/// <param name="TokenIds">The ids generated.</param>
/// <param name="FinishReason"><c>stop</c>, <c>length</c> or <c>cancelled</c>.</param>
/// <param name="Logprobs">One entry a token.</param>
/// <param name="Route">The hops in order.</param>
/// <param name="Timing">How long it took.</param>
/// <param name="Signed">What the hops of the route signed for it, by which <c>efedllm verify</c> checks it later; null where not everything is signed.</param>
internal sealed record PromptAnswer(
    string Text,
    IReadOnlyList<int> PromptTokenIds,
    IReadOnlyList<int> TokenIds,
    string FinishReason,
    IReadOnlyList<AnswerLogprob> Logprobs,
    IReadOnlyList<RouteHop> Route,
    AnswerTiming Timing,
    AnswerReceipts? Signed = null);

/// <summary>What the hops of an answer signed for it.</summary>
/// <param name="Cluster">The id of the cluster, 64 hexadecimal digits: the SHA-256 of its authority's public key.</param>
/// <param name="Session">The session.</param>
/// <param name="Model">The id of the model.</param>
/// <param name="Sampling">How the head drew.</param>
/// <param name="Root">The Merkle root over the hashes of all receipts, hop by hop: the one of the header <c>x-efedllm-receipts</c>.</param>
/// <param name="Hops">The hops in execution order.</param>
/// <param name="Commitment">What was given away of the nonces that chose what was checked, 32 bytes: the hops signed it with cluster, session, model and sampling.</param>
/// <param name="Seal">SHA-256 of the whole answer as this program writes it, without this: whatever was changed since is found. Null while it is made.</param>
internal sealed record AnswerReceipts(
    string Cluster, string Session, string Model, AnswerSampling Sampling, string Root, IReadOnlyList<HopReceipts> Hops, string Commitment, string? Seal = null);

/// <summary>How an answer was drawn; as in <see cref="GenerateRequest"/>.</summary>
/// <param name="Temperature">0 is greedy.</param>
/// <param name="TopP">1 is all.</param>
/// <param name="TopK">0 is all.</param>
/// <param name="Seed">Seeds the draws.</param>
/// <param name="Stop">Texts at which it ends, or null.</param>
/// <param name="IgnoreEos">Whether it goes on after an end token.</param>
internal sealed record AnswerSampling(float Temperature, float TopP, int TopK, ulong Seed, IReadOnlyList<string>? Stop, bool IgnoreEos);

/// <summary>A generated token's log-probability.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="Logprob">Natural logarithm of its probability at temperature 1.</param>
/// <param name="Top">The most likely tokens, best first; null where none were asked for.</param>
internal sealed record AnswerLogprob(int Id, float Logprob, IReadOnlyList<TopLogprob>? Top);
