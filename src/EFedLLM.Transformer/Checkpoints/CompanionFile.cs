namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A file copied unchanged from the checkpoint.</summary>
/// <param name="Name">File name inside the folder, without any path.</param>
/// <param name="Bytes">Length.</param>
/// <param name="Sha256">Hash of the whole file, lower-case hexadecimal.</param>
public sealed record CompanionFile(string Name, long Bytes, string Sha256);
