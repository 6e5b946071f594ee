using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

/// <summary>What an operator can do about verdicts, in a cluster of real processes.</summary>
public sealed class AppealTests(ITestOutputHelper output)
{
    private const int MostQuestions = 12;

    [Fact]
    public async Task A_device_is_free_again_when_the_operator_takes_back_what_excluded_it()
    {
        var ca = Path.Combine(TestHome.NewFolder("authority"), "ca");
        await using var cluster = await RunningCluster.StartAsync(3, more: ["--ca", ca, "--enrol-port", "0", "--saboteur", "2=sign-flip"]);
        string[] asOperator = ["--gateway", $"{cluster.Gateway}", "--ca", ca];
        var liar = cluster.Report.Nodes.Single(node => node.Name == "device-2").Device!;
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 3) && facts.Devices.Single(device => device.Id == liar).Shards.Count > 0);
        for (var questions = 1; (await FactsAsync(cluster, liar)).Standing != "excluded"; questions++)
        {
            Assert.True(questions <= MostQuestions, "It is not excluded.");
            try
            {
                await cluster.AskAsync();
            }
            catch (UserErrorException)
            {
                // Where nobody else holds what the liar holds there is no honest cover.
            }
        }

        // The gateway goes by what it has found itself at once; as what the device is excluded, and for how long, the ledger says.
        await cluster.UntilAsync(facts => facts.Devices.Single(device => device.Id == liar).ExcludedAs is not null);
        var excluded = await FactsAsync(cluster, liar);
        Assert.Equal("malicious", excluded.ExcludedAs);
        Assert.Contains("excluded (malicious) until", (await RunAsync(ExitCodes.Ok, "cluster", "show", "--gateway", $"{cluster.Gateway}")).Output, StringComparison.Ordinal);

        var record = JsonSerializer.Deserialize((await RunAsync(ExitCodes.Ok, "ledger", "show", liar, "--json", "--gateway", $"{cluster.Gateway}")).Output, ApiJson.Default.LedgerDevice)!;
        Assert.InRange(excluded.ExcludedUntil!.Value - record.Server!.ExcludedAt!.Value, TimeSpan.FromDays(30), TimeSpan.FromDays(30.1));
        var verdicts = record.Recent.Where(line => line.Check?.Result is "soft" or "hard").Select(line => line.Verdict!).ToList();
        Assert.InRange(verdicts.Count, 3, MostQuestions);

        // Not by anybody, not without a reason.
        Assert.Contains("--ca", (await RunAsync(ExitCodes.Failed, "ledger", "appeal", liar, verdicts[0], "--gateway", $"{cluster.Gateway}", "--ca", TestHome.NewFolder("other"))).Error, StringComparison.Ordinal);
        await RunAsync(ExitCodes.Usage, ["ledger", "appeal", liar, verdicts[0], "--force", .. asOperator]);

        // What is proven stands, whoever wants it away.
        foreach (var force in (string[][])[[], ["--force", "--reason", "a test of the operator's"]])
        {
            var stands = JsonSerializer.Deserialize(
                (await RunAsync(ExitCodes.Failed, ["ledger", "appeal", liar, verdicts[0], .. force, "--json", .. asOperator])).Output, ApiJson.Default.AppealResult)!;
            Assert.Equal((liar, verdicts[0], "stands"), (stands.Device, stands.Verdict, stands.Outcome));
        }

        foreach (var proof in Directory.GetDirectories(cluster.Data, "proofs", SearchOption.AllDirectories).SelectMany(Directory.GetFiles))
        {
            File.Delete(proof);
        }

        foreach (var verdict in verdicts)
        {
            var struck = JsonSerializer.Deserialize(
                (await RunAsync(ExitCodes.Ok, ["ledger", "appeal", liar[..8], verdict[..6], "--force", "--reason", "a test of the operator's", "--json", .. asOperator])).Output, ApiJson.Default.AppealResult)!;
            Assert.Equal((liar, verdict, "struck"), (struck.Device, struck.Verdict, struck.Outcome));
        }

        await cluster.UntilAsync(facts => facts.Devices.Single(device => device.Id == liar) is { Standing: not "excluded", ExcludedAs: null, ExcludedUntil: null });
        var shown = (await RunAsync(ExitCodes.Ok, "ledger", "show", liar, "--gateway", $"{cluster.Gateway}")).Output;
        Assert.Contains($"{verdicts[0]}  By the operator: a test of the operator's", shown, StringComparison.Ordinal);
    }

    private static async Task<DeviceFacts> FactsAsync(RunningCluster cluster, string device)
        => (await cluster.Client.ReadClusterAsync(CancellationToken.None)).Devices.Single(each => each.Id == device);

    private async Task<(string Output, string Error)> RunAsync(int expected, params string[] arguments)
    {
        var (code, said, error) = await EfedllmProcess.RunAsync(arguments);
        output.WriteLine($"efedllm {string.Join(' ', arguments)}\n{said}{error}");
        Assert.Equal(expected, code);
        return (said, error);
    }
}
