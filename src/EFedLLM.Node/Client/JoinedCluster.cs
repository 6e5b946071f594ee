using System.Text.Json;
using System.Text.Json.Serialization;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;

namespace EFedLLM.Node.Client;

/// <summary>A cluster that this device was enrolled in, as its data folder keeps it: after that no invite is needed.</summary>
/// <param name="Authority">The fingerprint of the cluster's authority.</param>
/// <param name="Server">The fingerprint of the node that enrolled the device.</param>
/// <param name="Addresses">Where that node enrols, each <c>host:port</c>.</param>
/// <param name="Seeds">Anchors to join, each <c>host:port</c>.</param>
/// <param name="Name">What the device is called.</param>
/// <param name="Enrolled">When it was enrolled, by its own clock.</param>
internal sealed record JoinedCluster(string Authority, string Server, IReadOnlyList<string> Addresses, IReadOnlyList<string> Seeds, string Name, DateTimeOffset Enrolled)
{
    private const string FileName = "cluster.json";
    private const int NameDigits = 16;
    private const int MostClusters = 64;
    private const int MostBytes = 64 * 1024;

    /// <summary>The folder of a cluster in a device's data folder: its certificate, and this.</summary>
    public static string Folder(string dataFolder, string authority) => Path.Combine(dataFolder, "clusters", authority[..NameDigits]);

    /// <summary>The cluster that an invite is to, or null where the device has no certificate of it that works.</summary>
    public static JoinedCluster? Find(string dataFolder, InviteToken invite) =>
        Read(Folder(dataFolder, invite.Authority)) is { } joined && joined.Authority == invite.Authority ? joined : null;

    /// <summary>The cluster that the device was enrolled in last, among those with this seed; null where there is none.</summary>
    /// <param name="dataFolder">The device's data folder.</param>
    /// <param name="seed">A <c>host:port</c>, or null for any.</param>
    public static JoinedCluster? Latest(string dataFolder, string? seed)
    {
        var clusters = new DirectoryInfo(Path.Combine(dataFolder, "clusters"));
        return !clusters.Exists ? null : clusters.EnumerateDirectories().Take(MostClusters)
            .Select(folder => Read(folder.FullName)).OfType<JoinedCluster>()
            .Where(joined => seed is null || joined.Seeds.Contains(seed))
            .MaxBy(joined => joined.Enrolled);
    }

    /// <summary>Keeps it beside the certificate, which is there already.</summary>
    public void Save(string folder)
    {
        var path = Path.Combine(folder, FileName);
        var part = $"{path}.{Environment.ProcessId}";
        File.WriteAllBytes(part, JsonSerializer.SerializeToUtf8Bytes(this, JoinedClusterJson.Default.JoinedCluster));
        File.Move(part, path, overwrite: true);
    }

    private static JoinedCluster? Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            if (!File.Exists(path) || new FileInfo(path).Length > MostBytes
                || JsonSerializer.Deserialize(File.ReadAllBytes(path), JoinedClusterJson.Default.JoinedCluster) is not { Seeds.Count: > 0 } joined)
            {
                return null;
            }

            using var certificate = NodeCertificate.Load(folder);
            return certificate.AuthorityFingerprint == joined.Authority ? joined : null;
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            // What cannot be used any more is no membership: an invite makes another.
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(JoinedCluster))]
internal sealed partial class JoinedClusterJson : JsonSerializerContext;
