using EFedLLM.Tests.Support;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>The same cluster with devices that keep pages.</summary>
public sealed class ReusingCluster : GenerationCluster
{
    public ReusingCluster() => Budgets = [new(32 << 20, 0.5), new(32 << 20, 0.5), new(32 << 20, 0.5)];

    private protected override IReadOnlyList<string> MakeFolders(string scratch) => [SharedModels.Model("stories260K")];
}
