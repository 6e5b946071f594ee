namespace EFedLLM.Transformer.Checkpoints;

/// <summary>One weight file.</summary>
/// <param name="Unit">The unit (see <see cref="LayerRange"/>).</param>
/// <param name="Name">File name inside the folder, without any path.</param>
/// <param name="Bytes">Length.</param>
/// <param name="Sha256">Hash of the whole file, lower-case hexadecimal.</param>
public sealed record WeightFile(int Unit, string Name, long Bytes, string Sha256);
