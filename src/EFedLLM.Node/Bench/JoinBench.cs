using System.Diagnostics;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>Measures how long a device takes from its process's start until it serves what the plan gives it, with the files of its layers on its disk already.</summary>
internal static class JoinBench
{
    /// <summary>What <see cref="BenchSample.Phase"/> says.</summary>
    public const string Phase = "join";

    private const int Devices = 2;
    private const int MostRepetitions = 3;

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LeaveGrace = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>Takes one of two devices out and starts it again, several times.</summary>
    /// <param name="model">The model.</param>
    /// <param name="dataFolder">An empty folder for the nodes' data.</param>
    /// <param name="settings">How often.</param>
    /// <param name="cancellation">Ends the cluster.</param>
    /// <exception cref="CommandLine.UserErrorException">The cluster does not come up.</exception>
    public static async Task<BenchSample> RunAsync(FactoredModel model, string dataFolder, BenchSettings settings, CancellationToken cancellation)
    {
        var plan = new ClusterSettings { ModelFolder = model.Folder, DataFolder = dataFolder, Devices = Devices, MemoryBytes = ClusterBench.MemoryOf(model) };
        await using var cluster = await LocalCluster.StartAsync(plan, cancellation);
        await cluster.WaitUntilPlacedAsync(Devices, PlacementLimit, cancellation);
        await using var gateway = new GatewayHttpClient(cluster.Gateway);
        var seconds = new List<double>();
        await cluster.Nodes[^1].StopAsync(LeaveGrace);
        for (var repetition = 0; repetition < Math.Min(settings.Repetitions, MostRepetitions); repetition++)
        {
            await WaitAsync(gateway, facts => facts.Devices.Count == 1 && LocalCluster.IsPlaced(facts, 1), cancellation);
            var start = Stopwatch.GetTimestamp();
            var again = ChildNode.Start(cluster.Nodes[^1].Options);
            try
            {
                await again.Ready.WaitAsync(cancellation);
                await WaitAsync(gateway, facts => facts.Devices.Count == Devices && facts.Devices.All(one => one.Shards.Count > 0) && LocalCluster.IsPlaced(facts, Devices), cancellation);
                seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
            finally
            {
                await again.StopAsync(LeaveGrace);
                await again.DisposeAsync();
            }
        }

        return new BenchSample("1 device", Phase, 1, 1, 0, 0, Statistics.Deviation(seconds), 0, 0, null, null, null) { Seconds = Statistics.Quantile(seconds, 0.5) };
    }

    private static async Task WaitAsync(GatewayHttpClient gateway, Func<ClusterFacts, bool> until, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(PlacementLimit);
        using var timer = new PeriodicTimer(PollInterval);
        while (!until(await gateway.ReadClusterAsync(patience.Token)))
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }
}
