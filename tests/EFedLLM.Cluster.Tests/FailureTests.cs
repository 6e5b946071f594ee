using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Cluster.Tests;

public class FailureTests
{
    [Fact]
    public async Task A_device_that_dies_in_the_middle_of_an_answer_ends_it_with_a_clear_error_and_others_are_answered_later()
    {
        await using var cluster = await RunningCluster.StartAsync(2);
        FailedEvent? failure = null;
        var tokens = 0;
        await foreach (var next in cluster.Client.GenerateAsync(new GenerateRequest { Messages = [new ChatLine("user", "Hi")], MaxTokens = 480, IgnoreEos = true }, CancellationToken.None))
        {
            if (next is TokenEvent && ++tokens == 5)
            {
                EfedllmProcess.Kill(cluster.Pid("device-2"));
            }

            failure = next as FailedEvent ?? failure;
        }

        Assert.NotNull(failure);
        Assert.Equal("hopLost", failure.Error);
        Assert.Contains("device", failure.Message, StringComparison.OrdinalIgnoreCase);

        // Until the plan has changed, prompts are refused and say why; none hangs.
        using var patience = new CancellationTokenSource(EfedllmProcess.Patience);
        while (true)
        {
            patience.Token.ThrowIfCancellationRequested();
            try
            {
                Assert.Equal("The capital of France is Paris.", (await cluster.AskAsync()).Text);
                break;
            }
            catch (UserErrorException refusal)
            {
                Assert.False(string.IsNullOrWhiteSpace(refusal.Message));
            }
        }
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
