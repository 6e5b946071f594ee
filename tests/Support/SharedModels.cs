using System.Text.Json;

namespace EFedLLM.Tests.Support;

/// <summary>Finds the real checkpoints and texts that tests compare with: by <c>EFEDLLM_SHARED</c>, else by walking up to a <c>shared/models</c>.</summary>
internal static class SharedModels
{
    public static string? Root { get; } = Find();

    /// <summary>The Llama-architecture models with golden results.</summary>
    public static IReadOnlyList<string> LlamaModels { get; } = ["efed-mini", "stories260K", "stories3M", "babyllama-105"];

    public static string Model(string name) => Path.Combine(RequireRoot(), "models", name);

    public static string Data(string relative) => Path.Combine(RequireRoot(), "data", relative);

    public static JsonElement Golden(string model)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Model(model), "golden.json")));
        return document.RootElement.Clone();
    }

    private static string RequireRoot() => Root ?? throw new DirectoryNotFoundException(
        "The shared models are missing: set EFEDLLM_SHARED to the folder that holds models/ and data/.");

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("EFEDLLM_SHARED") is { Length: > 0 } named)
        {
            return Directory.Exists(Path.Combine(named, "models")) ? Path.GetFullPath(named) : null;
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared");
            if (Directory.Exists(Path.Combine(candidate, "models")))
            {
                return candidate;
            }
        }

        return null;
    }
}
