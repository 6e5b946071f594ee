using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

/// <summary>A device that lies on purpose, in a cluster of real processes: the liar is found, and no answer is its own.</summary>
public sealed class SaboteurTests(ITestOutputHelper output)
{
    private const string Honest = "The capital of France is Paris.";

    // It is caught in each session, and three failures exclude it; the ledger hears of them a moment later.
    private const int MostQuestions = 12;

    [Fact]
    public async Task A_liar_is_found_and_excluded_and_every_answer_is_the_honest_one()
    {
        // Of three each holds a third of the model alone, so that the liar takes part in every session.
        await using var cluster = await RunningCluster.StartAsync(3, more: ["--saboteur", "2=sign-flip"]);
        var liar = cluster.Report.Nodes.Single(node => node.Name == "device-2").Device!;
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 3) && facts.Devices.Single(device => device.Id == liar).Shards.Count > 0);
        for (var questions = 1; !await IsExcludedAsync(cluster, liar); questions++)
        {
            Assert.True(questions <= MostQuestions, "It is not excluded.");
            try
            {
                var answer = await cluster.AskAsync();
                Assert.Equal(Honest, answer.Text);
            }
            catch (UserErrorException error)
            {
                // Where nobody else holds what the liar holds there is no honest cover, and the answer says so.
                output.WriteLine(error.Message);
                Assert.Contains("it signed another result than the right one", error.Message, StringComparison.Ordinal);
            }
        }

        // What it held has gone to others.
        await cluster.UntilAsync(facts => facts.Models.All(model => model.Ready) && facts.Devices.Single(device => device.Id == liar).Shards.Count == 0);
        var last = await cluster.AskAsync();
        Assert.Equal(Honest, last.Text);
        Assert.DoesNotContain(liar, last.Route.Select(hop => hop.Device));
        var ledger = await cluster.Client.ReadLedgerAsync(CancellationToken.None);
        Assert.All(ledger.Devices.Where(device => device.Device != liar), device => Assert.Equal((0L, 0L), (device.Server?.Hard ?? 0, device.Verifier?.Hard ?? 0)));

        var verified = await AnswerCollector.CollectAsync(
            cluster.Client, new GenerateRequest { Messages = [new ChatLine("user", "What is the capital of France?")], Verified = true }, null, CancellationToken.None);
        Assert.Equal(Honest, verified.Text);
    }

    private static async Task<bool> IsExcludedAsync(RunningCluster cluster, string device)
        => (await cluster.Client.ReadClusterAsync(CancellationToken.None)).Devices.Single(each => each.Id == device).Standing == "excluded";
}
