namespace EFedLLM.Transformer.Generation;

/// <summary>How long a generation took.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="GeneratedTokens">Tokens generated, an end token included.</param>
/// <param name="Prefill">From the start to the first token.</param>
/// <param name="Decode">From the first to the last token; the time the caller took between them is not in it.</param>
public sealed record LocalTiming(int PromptTokens, int GeneratedTokens, TimeSpan Prefill, TimeSpan Decode);
