namespace EFedLLM.Node.CommandLine;

/// <summary>Which part of a text is scored, and how.</summary>
/// <param name="Skip">Tokens left out at its beginning.</param>
/// <param name="Tokens">Tokens scored at most.</param>
/// <param name="Chunk">Tokens that are scored in one context.</param>
/// <param name="StartToken">Fed before each chunk; null is the model's own.</param>
internal sealed record EvalPart(int Skip, int Tokens, int Chunk, int? StartToken);
