using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Cluster.Tests;

/// <summary>kill -9 of each who takes part in a check: no verdict is lost, and none counts twice. The steps in between are tested one by one on the outbox and the ledger alone.</summary>
[Trait("Category", "Faults")]
public sealed class AuditKillTests
{
    [Fact]
    public async Task A_ledger_that_dies_with_verdicts_in_its_socket_has_each_once_when_it_is_back()
    {
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();
        await cluster.StartLedgerAsync("ledger", null);
        await cluster.AskAsync();
        await IsCountedOnceAsync(cluster, 1);

        // What is sent now has left the gateway, and nothing of it is stored.
        cluster.Freeze("ledger");
        await cluster.AskAsync();
        Assert.Equal(2, await cluster.WaitingAsync());
        await cluster.KillAsync("ledger");
        await cluster.StartLedgerAsync("ledger", null);
        await IsCountedOnceAsync(cluster, 2);
    }

    [Fact]
    public async Task A_ledger_that_dies_while_verdicts_come_in_has_each_once_in_the_end()
    {
        const int Answers = 3;
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();
        await cluster.StartLedgerAsync("ledger", null);
        await cluster.AskAsync();
        for (var answers = 1; answers < Answers; answers++)
        {
            // Whether they are stored, and whether the gateway hears of that, is decided by a race each time.
            await cluster.AskAsync();
            await cluster.KillAsync("ledger");
            await cluster.StartLedgerAsync("ledger", null);
        }

        await IsCountedOnceAsync(cluster, Answers);
    }

    [Fact]
    public async Task A_gateway_that_dies_before_it_hears_that_its_verdicts_are_stored_sends_them_again_and_they_count_once()
    {
        const string Name = "second";
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();
        await cluster.StartLedgerAsync("ledger", null);
        await using (var gateway = await cluster.StartGatewayAsync(Name))
        {
            await LedgerCluster.AskAsync(gateway);
            await LedgerCluster.UntilAsync(() => cluster.WaitingAsync(Name), waiting => waiting == 0);

            // The ledger stores what it finds in its socket when it goes on, and the one that sent it is no more.
            cluster.Freeze("ledger");
            await LedgerCluster.AskAsync(gateway);
            await cluster.KillAsync(Name);
            cluster.Thaw("ledger");
        }

        Assert.Equal(2, await cluster.WaitingAsync(Name));
        await using var again = await cluster.StartGatewayAsync(Name);
        await LedgerCluster.AskAsync(again);
        await IsCountedOnceAsync(cluster, 3, Name);
    }

    [Fact]
    public async Task Of_an_answer_in_the_middle_of_which_its_gateway_dies_nothing_is_counted_and_nobody_is_blamed()
    {
        const string Name = "second";
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();
        await cluster.StartLedgerAsync("ledger", null);
        await using (var gateway = await cluster.StartGatewayAsync(Name))
        {
            await LedgerCluster.AskAsync(gateway);
            var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var endless = new GenerateRequest { Messages = [new ChatLine("user", "What is the capital of France?")], MaxTokens = 400, IgnoreEos = true };
            var broken = Assert.ThrowsAnyAsync<Exception>(() => AnswerCollector.CollectAsync(gateway, endless, _ => begun.TrySetResult(), CancellationToken.None));
            await begun.Task.WaitAsync(EfedllmProcess.Patience);
            await cluster.KillAsync(Name);
            await broken.WaitAsync(EfedllmProcess.Patience);
        }

        await using var again = await cluster.StartGatewayAsync(Name);
        await LedgerCluster.AskAsync(again);
        await IsCountedOnceAsync(cluster, 2, Name);
    }

    [Fact]
    public async Task A_gateway_that_dies_behind_a_conviction_has_it_on_disk_and_the_ledger_counts_it_once()
    {
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync("sign-flip");
        await IsFoundOutAsync(cluster);

        // The conviction, the session that was lost by it, and what passed before it, where something did.
        var first = await cluster.WaitingAsync();
        Assert.InRange(first, 2, 3);
        await cluster.KillAsync("gateway");
        await cluster.KillAsync("device");

        await cluster.StartAsync("sign-flip");
        await IsFoundOutAsync(cluster);
        Assert.Equal(2 * first, await cluster.WaitingAsync());
        await cluster.StartLedgerAsync("ledger", null);
        await LedgerCluster.UntilAsync(() => cluster.WaitingAsync(), waiting => waiting == 0);
        var device = await DeviceAsync(cluster);
        Assert.Equal((2L, 2L, 0L, 0L), (device.Server!.Hard, device.Failures, device.Sessions, device.Server.Soft));
        Assert.Equal(2 * first, device.Recent.Count);
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

    /// <summary>Nothing waits, and of each answer the device has its work once and the check of it once.</summary>
    private static async Task IsCountedOnceAsync(LedgerCluster cluster, int answers, string gateway = "gateway")
    {
        await LedgerCluster.UntilAsync(() => cluster.WaitingAsync(gateway), waiting => waiting == 0);
        var device = await DeviceAsync(cluster);
        Assert.Equal((answers, answers, 2 * answers), (device.Sessions, device.Server!.Passed, device.Recent.Count));
        Assert.Equal((device.Tokens, 0L, 0L, 0L), (device.Server.PassedTokens, device.Server.Hard, device.Failures, device.TimeOuts));
    }

    /// <summary>What the ledger has of the one device, as soon as a ledger answers.</summary>
    private static async Task<LedgerDevice> DeviceAsync(LedgerCluster cluster)
        => await cluster.Client.ReadLedgerAsync(Assert.Single((await cluster.UntilLedgerAsync(facts => facts.Devices.Count > 0)).Devices).Device, CancellationToken.None);

    /// <summary>Nobody else holds the layers: the answer fails and says why.</summary>
    private static async Task IsFoundOutAsync(LedgerCluster cluster)
    {
        var error = await Assert.ThrowsAsync<UserErrorException>(() => cluster.AskAsync());
        Assert.Contains("it signed another result than the right one", error.Message, StringComparison.Ordinal);
    }
}
