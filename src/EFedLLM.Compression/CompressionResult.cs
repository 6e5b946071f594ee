using EFedLLM.Compression.Allocation;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>A factored model that lies complete in its folder.</summary>
/// <param name="Folder">The folder, as a full path.</param>
/// <param name="Id">The model's identity.</param>
/// <param name="Manifest">Its manifest.</param>
/// <param name="AlreadyThere">Whether the folder held exactly this model before, so that nothing was written.</param>
public sealed record CompressionResult(string Folder, ModelId Id, ModelManifest Manifest, bool AlreadyThere)
{
    /// <summary>What was planned, where the profile plans; else null.</summary>
    public BitPlan? Plan { get; init; }

    /// <summary>What the time was spent on, where the profile tells; else null.</summary>
    public StageTimes? Times { get; init; }
}
