using System.Text.Json;
using System.Text.Json.Serialization;

namespace EFedLLM.Node.Client;

/// <summary>What the program remembers for one user between runs.</summary>
internal static class UserFolder
{
    /// <summary>The environment variable that names another folder.</summary>
    public const string Variable = "EFEDLLM_HOME";

    private const string LastClusterFile = "last-cluster.json";

    /// <summary>The folder: what <see cref="Variable"/> names, else <c>efedllm</c> in the user's application data.</summary>
    public static string Root
    {
        get
        {
            if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named)
            {
                return Path.GetFullPath(named);
            }

            var data = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
            return Path.Combine(data.Length > 0 ? data : Path.GetTempPath(), "efedllm");
        }
    }

    /// <summary>Remembers the cluster started last.</summary>
    public static void Remember(LastCluster cluster)
    {
        Directory.CreateDirectory(Root);
        var path = Path.Combine(Root, LastClusterFile);
        var part = $"{path}.{Environment.ProcessId}";
        File.WriteAllText(part, JsonSerializer.Serialize(cluster, UserFolderJson.Default.LastCluster));
        File.Move(part, path, overwrite: true);
    }

    /// <summary>The cluster started last, or null.</summary>
    public static LastCluster? LastCluster()
    {
        var path = Path.Combine(Root, LastClusterFile);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllText(path), UserFolderJson.Default.LastCluster) : null;
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            // A note that cannot be read is no note.
            return null;
        }
    }
}

/// <summary>A cluster that was started on this machine.</summary>
/// <param name="Gateway">Base address of its HTTP interface.</param>
/// <param name="Seed">Address that further devices join, <c>host:port</c>.</param>
/// <param name="Authority">Folder of its authority with the key, or null where it was started without.</param>
/// <param name="Trust">Folder with the authority's certificate, or null where it uses none.</param>
internal sealed record LastCluster(string Gateway, string Seed, string? Authority = null, string? Trust = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LastCluster))]
internal sealed partial class UserFolderJson : JsonSerializerContext;
