namespace EFedLLM.Transformer.Checkpoints;

/// <summary>What a model was calibrated on.</summary>
/// <param name="Sha256">Hash of the text.</param>
/// <param name="Tokens">Tokens used.</param>
public sealed record CalibrationNote(string Sha256, long Tokens);
