namespace EFedLLM.Compression.Evaluation;

/// <summary>A text and the class it belongs to.</summary>
/// <param name="Text">The text.</param>
/// <param name="Label">The number of the class, from 0.</param>
public readonly record struct LabelledText(string Text, int Label);
