using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Cluster.Tests;

public class FailureTests
{
    [Trait("Category", "Faults")]
    [Fact]
    public async Task An_answer_that_no_device_can_take_over_ends_with_an_error_that_names_the_missing_layers_and_others_are_refused_until_one_can()
    {
        // Each device can hold a little more than half of the model.
        await using var cluster = await RunningCluster.StartAsync(
            2, environment: new Dictionary<string, string> { ["EFEDLLM__DEVICE__CACHE_SHARE"] = "0.6" }, more: ["--memory", "3000KB", "--repair-timeout", "2"]);
        FailedEvent? failure = null;
        var tokens = 0;
        await foreach (var next in cluster.Client.GenerateAsync(new GenerateRequest { Messages = [new ChatLine("user", "Hi")], MaxTokens = 400, IgnoreEos = true }, CancellationToken.None))
        {
            if (next is TokenEvent && ++tokens == 5)
            {
                EfedllmProcess.Kill(cluster.Pid("device-2"));
            }

            failure = next as FailedEvent ?? failure;
        }

        Assert.NotNull(failure);
        Assert.Equal("hopLost", failure.Error);
        Assert.Contains("No reachable device serves", failure.Message, StringComparison.Ordinal);
        Assert.Contains("layer", failure.Message, StringComparison.Ordinal);
        var refusal = await Assert.ThrowsAsync<UserErrorException>(() => cluster.AskAsync());
        Assert.Contains("layer", refusal.Message, StringComparison.Ordinal);

        await using var device = EfedllmProcess.Start(null, "join", "--seed", cluster.Report.Seed, "--name", "third", "--data", TestHome.NewFolder("third"));
        await device.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
        await cluster.UntilAsync(facts => facts.Models[0].Ready);
        Assert.Equal("The capital of France is Paris.", (await cluster.AskAsync()).Text);
        device.Terminate();
        await device.EndAsync();
    }

    [Fact]
    public async Task A_reward_that_was_acknowledged_survives_the_death_of_the_whole_cluster_and_counts_once()
    {
        var data = TestHome.NewFolder("ledger");
        LedgerFacts before;
        var first = await RunningCluster.StartAsync(2, data);
        await using (first.Process)
        {
            await first.AskAsync();
            before = await first.UntilLedgerAsync(facts => facts.Devices.Count == 2 && facts.Devices.All(device => device.Sessions == 1));
            foreach (var node in first.Report.Nodes)
            {
                EfedllmProcess.Kill(node.Pid);
            }

            EfedllmProcess.Kill(first.Process.Pid);
            await first.Process.EndAsync();
            await first.Client.DisposeAsync();
        }

        await using var second = await RunningCluster.StartAsync(2, data);
        var after = await second.Client.ReadLedgerAsync(CancellationToken.None);
        Assert.Equal(Text(before), Text(after));
        await second.AskAsync();
        await second.UntilLedgerAsync(facts => facts.Devices.All(device => device.Sessions == 2));
    }

    private static IEnumerable<string> Text(LedgerFacts facts) => facts.Devices.Select(device => (device with { Recent = [] }).ToString()).Order(StringComparer.Ordinal);
}
