using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Models;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.Local;

/// <summary>Opens a model to run in this process.</summary>
internal static class LocalModel
{
    /// <summary>The model of the settings: a checkpoint is compressed once, to the cache, unless it is to run in float32.</summary>
    /// <exception cref="UserErrorException">There is no such folder or file, or it cannot run in float32.</exception>
    public static async Task<IModelSource> OpenAsync(LocalSettings settings, CancellationToken cancellation)
    {
        if (!settings.Float32)
        {
            return FactoredModel.Open(await ModelPreparation.FactoredAsync(settings.ModelFolder, cancellation));
        }

        var folder = ModelFolders.Existing(settings.ModelFolder);
        return FactoredModel.IsFactored(folder)
            ? throw new UserErrorException($"{folder} is a factored model: --weights float32 needs the checkpoint that it was made of.", ExitCodes.Usage)
            : Checkpoint.Open(folder);
    }

    /// <summary>What people call a model.</summary>
    public static string NameOf(IModelSource model) => model is FactoredModel factored
        ? factored.Manifest.Name
        : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model.Folder)));

    /// <summary>The chat template of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="named">A template's name, or null for the folder's own.</param>
    public static ChatTemplate Template(IModelSource model, string? named) => named is null ? ChatTemplate.Recognise(model.Folder) : ChatTemplate.Named(named);
}
