namespace EFedLLM.Node.Api;

/// <summary>What <c>efedllm prompt --json</c> prints: the keys are fixed.</summary>
/// <param name="Text">The answer.</param>
/// <param name="PromptTokenIds">The prompt as token ids.</param>
/// <param name="TokenIds">The ids generated.</param>
/// <param name="FinishReason"><c>stop</c>, <c>length</c> or <c>cancelled</c>.</param>
/// <param name="Logprobs">One entry a token.</param>
/// <param name="Route">The hops in order.</param>
/// <param name="Timing">How long it took.</param>
internal sealed record PromptAnswer(
    string Text,
    IReadOnlyList<int> PromptTokenIds,
    IReadOnlyList<int> TokenIds,
    string FinishReason,
    IReadOnlyList<AnswerLogprob> Logprobs,
    IReadOnlyList<RouteHop> Route,
    AnswerTiming Timing);

/// <summary>A generated token's log-probability.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="Logprob">Natural logarithm of its probability at temperature 1.</param>
/// <param name="Top">The most likely tokens, best first; null where none were asked for.</param>
internal sealed record AnswerLogprob(int Id, float Logprob, IReadOnlyList<TopLogprob>? Top);
