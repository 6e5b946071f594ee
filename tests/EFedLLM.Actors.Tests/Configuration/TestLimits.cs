using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Tests.Configuration;

internal static class TestLimits
{
    private static readonly Akka.Configuration.Config Configuration = NodeConfiguration.Build(
        new NodeSettings { Roles = [ClusterNames.Anchor], DataFolder = Path.GetTempPath() }, new Dictionary<string, string>());

    /// <summary>The reference settings.</summary>
    public static NodeLimits Reference { get; } = NodeLimits.Read(Configuration);

    /// <summary>The reference settings of model files.</summary>
    public static BlobLimits Blobs { get; } = BlobLimits.Read(Configuration);
}
