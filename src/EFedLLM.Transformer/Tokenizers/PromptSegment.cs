namespace EFedLLM.Transformer.Tokenizers;

/// <summary>A piece of a rendered chat.</summary>
/// <param name="Text">The text.</param>
/// <param name="IsTrusted">Whether it came from the template (special tokens count) or from a message (they are plain text).</param>
public readonly record struct PromptSegment(string Text, bool IsTrusted);
