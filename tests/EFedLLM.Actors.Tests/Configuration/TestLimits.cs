using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Tests.Configuration;

internal static class TestLimits
{
    /// <summary>The reference settings.</summary>
    public static NodeLimits Reference { get; } = NodeLimits.Read(NodeConfiguration.Build(
        new NodeSettings { Roles = [ClusterNames.Anchor], DataFolder = Path.GetTempPath() }, new Dictionary<string, string>()));
}
