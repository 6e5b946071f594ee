namespace EFedLLM.Cluster.Tests;

/// <summary>A cluster of three devices for all tests of a class.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    internal RunningCluster Cluster { get; private set; } = null!;

    public async Task InitializeAsync() => Cluster = await RunningCluster.StartAsync(3);

    public async Task DisposeAsync() => await Cluster.DisposeAsync();
}
