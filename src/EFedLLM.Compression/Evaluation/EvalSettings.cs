namespace EFedLLM.Compression.Evaluation;

/// <summary>Which part of a text is scored, and how.</summary>
/// <param name="StartToken">Fed before each chunk: the token that begins or parts texts, as the model was trained.</param>
/// <param name="Skip">Tokens left out at the beginning of the text.</param>
/// <param name="Tokens">Tokens scored at most; fewer where the text ends.</param>
/// <param name="Chunk">Tokens that are scored in one context, 1 to the model's context length.</param>
public sealed record EvalSettings(int StartToken, int Skip = 0, int Tokens = 4096, int Chunk = 256);
