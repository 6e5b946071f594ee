using System.Globalization;
using System.Text.Json;

namespace EFedLLM.Cluster.Tests;

/// <summary>What devices take of the machine's memory.</summary>
public class MemoryTests
{
    private const long MostOwnBytes = 120_000_000;

    [Fact]
    public async Task A_device_whose_memory_does_not_hold_the_model_streams_it_says_so_and_answers_the_same()
    {
        await using var cluster = await RunningCluster.StartAsync(1, more: ["--memory", "1.9MB"]);
        var shard = Assert.Single(Assert.Single(cluster.Report.Cluster.Devices).Shards);
        Assert.InRange(shard.StreamedBytes, 1, shard.WeightBytes - 1);
        var (code, shown, error) = await EfedllmProcess.RunAsync("cluster", "show", "--gateway", cluster.Gateway.ToString());
        Assert.True(code == 0, error);
        Assert.Contains(", streams ", string.Join(' ', shown.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);

        string[] question = ["prompt", "What is the capital of France?", "--max-tokens", "12", "--json", "--top-logprobs", "2"];
        var streamed = await AskAsync([.. question, "--gateway", cluster.Gateway.ToString()]);
        Assert.Equal(await AskAsync([.. question, "--local"]), streamed);
        Assert.Equal(await AskAsync([.. question, "--local", "--memory", "1.5MB"]), streamed);
    }

    [Fact]
    public async Task A_device_takes_little_beside_its_weights()
    {
        await using var cluster = await RunningCluster.StartAsync(2);
        await cluster.AskAsync();
        foreach (var node in cluster.Report.Nodes.Where(node => node.Device is not null))
        {
            var weights = cluster.Report.Cluster.Devices.Single(device => device.Id == node.Device).Shards.Sum(shard => shard.WeightBytes);
            var status = File.ReadLines($"/proc/{node.Pid}/status").Select(line => line.Split([':', ' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).ToArray();

            // Pages of program files are the machine's: all processes that run the program share them, and they go when memory is short.
            var own = Bytes("RssAnon") + Bytes("RssShmem") - weights;
            Assert.True(own <= MostOwnBytes, $"{node.Name} has {own} bytes of its own beside its weights; resident are {Bytes("VmRSS")}");

            long Bytes(string key) => long.Parse(status.Single(parts => parts[0] == key)[1], CultureInfo.InvariantCulture) * 1024;
        }
    }

    private static async Task<string> AskAsync(string[] arguments)
    {
        var (code, output, error) = await EfedllmProcess.RunAsync(arguments);
        Assert.True(code == 0, error);
        var answer = JsonDocument.Parse(output).RootElement;
        return string.Join(' ', new[] { "text", "tokenIds", "logprobs" }.Select(key => answer.GetProperty(key).GetRawText()));
    }
}
