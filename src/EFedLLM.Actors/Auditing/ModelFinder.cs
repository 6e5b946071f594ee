using EFedLLM.Actors.Layers;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Auditing;

/// <summary>Finds the files of a model among folders, by its id.</summary>
internal static class ModelFinder
{
    /// <summary>Opens the first folder that holds the model; null where none does. Folders that are no models are passed over.</summary>
    /// <param name="model">The model.</param>
    /// <param name="folders">The folders.</param>
    public static IModelSource? Open(ModelId model, IReadOnlyList<string> folders)
    {
        foreach (var folder in folders)
        {
            try
            {
                var source = ModelFolder.Open(folder);
                if (source.Id == model)
                {
                    return source;
                }

                source.Dispose();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException or NotSupportedException)
            {
                // It may be another model's; that of this one is still looked for.
            }
        }

        return null;
    }
}
