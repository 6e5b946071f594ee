using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Models;

/// <summary>Where models lie on this machine.</summary>
internal static class ModelFolders
{
    /// <summary>The model that comes with the program.</summary>
    public const string BundledName = "efed-mini";

    /// <summary>The checkpoint beside the program.</summary>
    public static string Bundled => Path.Combine(AppContext.BaseDirectory, "models", BundledName);

    /// <summary>Where checkpoints are kept compressed, each once.</summary>
    public static string Cache => Path.Combine(UserFolder.Root, "models");

    /// <summary>The folder or GGUF file named, or the bundled model.</summary>
    /// <exception cref="UserErrorException">There is no such folder or file.</exception>
    public static string Existing(string? named)
    {
        var folder = Path.GetFullPath(named ?? Bundled);
        return Path.Exists(folder) ? folder : throw new UserErrorException(named is null
            ? $"The bundled model is missing: {folder} should have come with the program. Name another with --model."
            : $"There is no folder or file {named}. --model takes a checkpoint (a folder with config.json and *.safetensors, or a .gguf file) or a factored model (manifest.json).");
    }

    /// <summary>The factored models of the cache, by folder name.</summary>
    public static IReadOnlyList<string> Cached() => Cached(Cache);

    /// <summary>The factored models directly below <paramref name="root"/>; what is being written there right now is none yet.</summary>
    internal static IReadOnlyList<string> Cached(string root) => Directory.Exists(root)
        ? [.. Directory.EnumerateDirectories(root).Where(FactoredModel.IsFactored).Order(StringComparer.Ordinal)]
        : [];
}
