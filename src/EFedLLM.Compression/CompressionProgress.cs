namespace EFedLLM.Compression;

/// <summary>How far a compression is.</summary>
/// <param name="Unit">The unit that is being worked on (see <see cref="Transformer.Checkpoints.LayerRange"/>); equal to Units when all are written.</param>
/// <param name="Units">Number of units.</param>
/// <param name="Bytes">Bytes of weights that are done.</param>
/// <param name="TotalBytes">Bytes of weights that the model will have.</param>
/// <param name="Stage">What was just done, for people, for example <c>layer 3: mlp.down_proj</c>.</param>
public readonly record struct CompressionProgress(int Unit, int Units, long Bytes, long TotalBytes, string Stage);
