namespace EFedLLM.Node.Api;

/// <summary>What <c>efedllm eval --json</c> prints for one model that is compared with nothing.</summary>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="MeanNll">Mean negative log-likelihood of a token, in nats.</param>
/// <param name="Perplexity">exp(<paramref name="MeanNll"/>).</param>
/// <param name="Model">The model's name.</param>
/// <param name="BitsPerWeight">Bits per weight as read per token.</param>
/// <param name="BytesPerToken">Bytes of weights read per token.</param>
/// <param name="TokensPerSecond">Tokens decoded per second in this process.</param>
internal sealed record EvalResult(int Tokens, double MeanNll, double Perplexity, string Model, double BitsPerWeight, long BytesPerToken, double TokensPerSecond);

/// <summary>One model of what <c>efedllm eval --json</c> prints for a comparison. Null is what was not measured.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Reference">The name of the model it is compared with.</param>
/// <param name="Where">Where it ran: <c>this process</c>, or the number of devices.</param>
/// <param name="BitsPerWeight">Bits per weight as read per token.</param>
/// <param name="BytesPerToken">Bytes of weights read per token.</param>
/// <param name="TokensPerSecond">Tokens decoded per second.</param>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="MeanNll">Mean negative log-likelihood of a token, in nats.</param>
/// <param name="Perplexity">exp(<paramref name="MeanNll"/>).</param>
/// <param name="PerplexityChange">Against the reference: 0.01 is one per cent worse.</param>
/// <param name="MeanKl">Mean divergence from the reference, in nats.</param>
/// <param name="P99Kl">The divergence that 99 % of the positions do not exceed.</param>
/// <param name="Top1Agreement">Share of the positions whose most likely token is the reference's, 0 to 1.</param>
/// <param name="LayerErrors">Relative error of the residual stream after the embedding and after each layer.</param>
/// <param name="Texts">Labelled texts classified.</param>
/// <param name="Accuracy">Share of them classified correctly, 0 to 1.</param>
/// <param name="MeanCrossEntropy">Mean of -ln p(right class), in nats.</param>
internal sealed record EvalRow(
    string Model,
    string Reference,
    string Where,
    double BitsPerWeight,
    long BytesPerToken,
    double? TokensPerSecond,
    int? Tokens,
    double? MeanNll,
    double? Perplexity,
    double? PerplexityChange,
    double? MeanKl,
    double? P99Kl,
    double? Top1Agreement,
    IReadOnlyList<double>? LayerErrors,
    int? Texts,
    double? Accuracy,
    double? MeanCrossEntropy);
