using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>Opens model folders.</summary>
internal static class ModelFolder
{
    /// <summary>A factored model, or a checkpoint that computes in float32.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is malformed.</exception>
    /// <exception cref="NotSupportedException">The model is not supported.</exception>
    public static IModelSource Open(string folder) => FactoredModel.IsFactored(folder) ? FactoredModel.Open(folder) : Checkpoint.Open(folder);
}
