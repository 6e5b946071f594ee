namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Measured quality against the uncompressed model.</summary>
/// <param name="TextSha256">Hash of the text measured on.</param>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="Perplexity">Of the compressed model.</param>
/// <param name="ReferencePerplexity">Of the uncompressed model.</param>
public sealed record QualityNote(string TextSha256, long Tokens, double Perplexity, double ReferencePerplexity);
