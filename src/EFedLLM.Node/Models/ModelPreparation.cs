using EFedLLM.Compression;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Models;

/// <summary>Gets models ready to be served: a checkpoint is compressed once, to the user's cache.</summary>
internal static class ModelPreparation
{
    /// <summary>The factored model of a folder or GGUF file, made now if it is a checkpoint that was not compressed before.</summary>
    /// <param name="named">A checkpoint (a folder or a GGUF file) or a factored model; null is the bundled model.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="CommandLine.UserErrorException">There is no such folder or file.</exception>
    public static Task<string> FactoredAsync(string? named, CancellationToken cancellation)
    {
        var folder = ModelFolders.Existing(named);
        return FactoredModel.IsFactored(folder) ? Task.FromResult(folder) : CompressionBar.RunAsync(
            $"compressing {Path.GetFileName(folder)}, once",
            progress => ModelCache.GetOrCompress(folder, ModelFolders.Cache, new CompressionSettings(), progress, cancellation));
    }

    /// <summary>All models of this machine that a device need not fetch: those named, and those compressed before.</summary>
    /// <exception cref="CommandLine.UserErrorException">A folder named is missing.</exception>
    public static async Task<IReadOnlyList<string>> AvailableAsync(IReadOnlyList<string> named, CancellationToken cancellation)
    {
        var folders = new List<string>();
        foreach (var folder in named)
        {
            folders.Add(await FactoredAsync(folder, cancellation));
        }

        return [.. folders.Concat(ModelFolders.Cached()).Distinct(StringComparer.Ordinal)];
    }
}
