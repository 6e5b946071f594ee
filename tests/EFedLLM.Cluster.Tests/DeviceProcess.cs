using System.Text.Json;
using EFedLLM.Node.Hosting;

namespace EFedLLM.Cluster.Tests;

/// <summary>A device in a process of its own, as a service would run it: the program's command <c>node</c>.</summary>
internal sealed class DeviceProcess : IAsyncDisposable
{
    private DeviceProcess(EfedllmProcess process, NodeReady ready) => (Process, Ready) = (process, ready);

    public EfedllmProcess Process { get; }

    public NodeReady Ready { get; }

    /// <summary>Starts one with the key in a data folder, on any free port, and waits until the cluster has let it in.</summary>
    public static Task<DeviceProcess> StartAsync(RunningCluster cluster, string name, string data, params string[] more) => StartInAsync(null, cluster, name, data, more);

    /// <summary>The same in a network namespace, or in none.</summary>
    public static async Task<DeviceProcess> StartInAsync(string? network, RunningCluster cluster, string name, string data, params string[] more)
    {
        var models = Directory.EnumerateDirectories(Path.Combine(TestHome.Path, "models")).Order(StringComparer.Ordinal).SelectMany(folder => new[] { "--model", folder });
        var process = EfedllmProcess.StartIn(network, null, ["node", "--role", "device", "--name", name, "--data", data, "--seed", cluster.Report.Seed, .. models, .. more]);
        try
        {
            return new DeviceProcess(process, JsonSerializer.Deserialize(await process.LineAsync(), NodeReadyJson.Default.NodeReady)!);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}
