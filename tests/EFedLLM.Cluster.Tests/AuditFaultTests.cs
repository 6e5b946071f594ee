using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Cluster.Tests;

/// <summary>kill -9 of each who takes part in a check, at each step of it: no verdict is lost, and none counts twice.</summary>
[Trait("Category", "Faults")]
public sealed class AuditFaultTests
{
    [Fact]
    public async Task A_ledger_that_dies_with_verdicts_in_its_socket_has_each_once_when_it_is_back()
    {
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();
        await cluster.StartLedgerAsync("ledger", null);
        await cluster.AskAsync();
        var before = await cluster.UntilLedgerAsync(facts => facts.Devices is [{ Sessions: 1, Server.Passed: 1 }]);
        var positions = before.Devices[0].Server!.PassedTokens;

        // What is sent now has left the gateway, and nothing of it is stored.
        cluster.Freeze("ledger");
        await cluster.AskAsync();
        await LedgerCluster.UntilAsync(cluster.WaitingAsync, waiting => waiting == 2);
        await cluster.KillAsync("ledger");
        await cluster.StartLedgerAsync("ledger", null);
        await IsCountedOnceAsync(cluster, 2, positions);
    }

    [Fact]
    public async Task A_ledger_that_dies_while_verdicts_come_in_has_each_once_in_the_end()
    {
        const int Answers = 6;
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();
        await cluster.StartLedgerAsync("ledger", null);
        await cluster.AskAsync();
        var positions = (await cluster.UntilLedgerAsync(facts => facts.Devices is [{ Sessions: 1, Server.Passed: 1 }])).Devices[0].Server!.PassedTokens;
        for (var answers = 1; answers < Answers; answers++)
        {
            // Whether it is stored, and whether the gateway hears of that, is decided by a race each time.
            var asked = cluster.AskAsync();
            await LedgerCluster.UntilAsync(cluster.WaitingAsync, waiting => waiting > 0);
            await cluster.KillAsync("ledger");
            await asked;
            await cluster.StartLedgerAsync("ledger", null);
        }

        await IsCountedOnceAsync(cluster, Answers, positions);
    }

    [Fact]
    public async Task A_gateway_that_dies_behind_a_conviction_has_it_on_disk_and_the_ledger_counts_it_once()
    {
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync("sign-flip");
        await IsFoundOutAsync(cluster);
        await LedgerCluster.UntilAsync(cluster.WaitingAsync, waiting => waiting == 2);
        await cluster.KillAsync("gateway");
        await cluster.KillAsync("device");

        await cluster.StartAsync("sign-flip");
        await IsFoundOutAsync(cluster);
        await LedgerCluster.UntilAsync(cluster.WaitingAsync, waiting => waiting == 4);
        await cluster.StartLedgerAsync("ledger", null);
        await LedgerCluster.UntilAsync(cluster.WaitingAsync, waiting => waiting == 0);
        var facts = await cluster.UntilLedgerAsync(facts => facts.Devices is [{ Server.Hard: 2 }]);
        Assert.Equal((2L, 0L, 0L), (facts.Devices[0].Failures, facts.Devices[0].Sessions, facts.Devices[0].Server!.Soft));
    }

    [Fact]
    public async Task A_verifier_that_dies_in_the_middle_of_a_check_costs_neither_the_answer_nor_a_verdict()
    {
        // Two more than there are parts of the model: some part has two devices, of which one serves and the other checks.
        await using var cluster = await RunningCluster.StartAsync(10, more: ["--trust", "on"]);
        var facts = await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 10) && facts.Devices.All(device => device.Shards.Count > 0));
        var pair = facts.Devices.GroupBy(device => (device.Shards[0].First, device.Shards[0].End)).First(range => range.Count() > 1).ToArray();
        var route = (await cluster.AskAsync()).Route;
        var first = await cluster.UntilLedgerAsync(ledger => ledger.Devices.Sum(device => device.Sessions) == route.Count && Positions(ledger) > 0 && Positions(ledger) % route.Count == 0);
        var positions = Positions(first) / route.Count;

        var victim = pair[0];
        var served = (await cluster.Client.ReadWorkAsync(CancellationToken.None)).Served;
        EfedllmProcess.Freeze(cluster.Pid(victim.Name));
        var asked = cluster.AskAsync();
        await cluster.UntilServedAsync(served);
        EfedllmProcess.Kill(cluster.Pid(victim.Name));
        var answer = await asked;
        Assert.Equal("The capital of France is Paris.", answer.Text);

        // Where it was to serve, what others had computed by then is checked in another route once more.
        var isServing = answer.Route.Any(hop => hop.Device == victim.Id);
        var expected = positions * (route.Count + answer.Route.Count);
        var ledger = await cluster.UntilLedgerAsync(ledger => Positions(ledger) >= expected);
        Assert.True(isServing || Positions(ledger) == expected, $"{Positions(ledger)} positions are checked, not {expected}.");
        Assert.All(ledger.Devices, device => Assert.Equal((0L, 0L, 0L), (device.Server?.Hard ?? 0, device.Server?.Soft ?? 0, device.Verifier?.Hard ?? 0)));
    }

    private static long Positions(LedgerFacts ledger) => ledger.Devices.Sum(device => device.Server?.PassedTokens ?? 0);

    private static async Task IsCountedOnceAsync(LedgerCluster cluster, int answers, long positions)
    {
        await LedgerCluster.UntilAsync(cluster.WaitingAsync, waiting => waiting == 0);
        var facts = await cluster.UntilLedgerAsync(facts => facts.Devices.Count == 1);
        var device = Assert.Single(facts.Devices);
        Assert.Equal((answers, answers, answers * positions), (device.Sessions, device.Server!.Passed, device.Server.PassedTokens));
        Assert.Equal((0L, 0L, 0L), (device.Server.Hard, device.Failures, device.TimeOuts));
    }

    /// <summary>Nobody else holds the layers: the answer fails and says why.</summary>
    private static async Task IsFoundOutAsync(LedgerCluster cluster)
    {
        var error = await Assert.ThrowsAsync<UserErrorException>(cluster.AskAsync);
        Assert.Contains("it signed another result than the right one", error.Message, StringComparison.Ordinal);
    }
}
