using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>The checkpoint's names for what a factored model's files hold.</summary>
internal static class CheckpointTensors
{
    /// <summary>The name for a tensor of a unit's file.</summary>
    public static string Of(ModelShape shape, int unit, string name) =>
        shape.Encoder is not null ? CheckpointLayout.EncoderTensor(shape, unit, name)
        : unit == 0 ? CheckpointLayout.Embedding
        : unit <= shape.Layers ? CheckpointLayout.Layer(unit - 1, name)
        : name.StartsWith(ManifestLayout.Head, StringComparison.Ordinal) ? CheckpointLayout.Head(shape)
        : CheckpointLayout.FinalNorm;
}
