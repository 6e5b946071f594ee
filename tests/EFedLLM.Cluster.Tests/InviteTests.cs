using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;

namespace EFedLLM.Cluster.Tests;

public class InviteTests
{
    [Fact]
    public async Task A_machine_joins_by_invite_serves_is_evicted_and_stays_outside_until_it_is_readmitted()
    {
        var (ca, home) = (Path.Combine(TestHome.NewFolder("authority"), "ca"), TestHome.NewFolder("invited"));
        var bert = Path.Combine(TestHome.NewFolder("settings"), "bert.conf");
        await File.WriteAllTextAsync(bert, "efedllm.device.owner = bert");
        await using var cluster = await RunningCluster.StartAsync(1, more: ["--ca", ca, "--enrol-port", "0", "--config", bert]);
        string[] asOperator = ["--gateway", $"{cluster.Gateway}", "--ca", ca];
        var invite = JsonSerializer.Deserialize((await DoneAsync(["invite", "--name", "kitchen-pc", "--owner", "anna", "--json", .. asOperator])).Output, ApiJson.Default.InviteResult)!;
        Assert.Equal($"efedllm join {invite.Token}", invite.Command);

        string id;
        await using (var device = EfedllmProcess.Start(null, "join", invite.Token, "--data", home, "--config", bert))
        {
            await device.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
            var facts = await cluster.UntilAsync(facts => IsSettled(facts, 2));
            id = facts.Devices.Single(joined => joined.Name == "kitchen-pc").Id;

            // Whatever it says itself: its owner is whose it was invited as.
            Assert.Equal(["bert", "anna"], facts.Devices.OrderBy(device => device.Name, StringComparer.Ordinal).Select(device => device.Owner));
            var answer = await cluster.AskAsync();
            Assert.Equal("The capital of France is Paris.", answer.Text);
            Assert.Equal(2, answer.Route.Count);

            var second = await EfedllmProcess.RunAsync("join", invite.Token, "--data", TestHome.NewFolder("second"));
            Assert.Equal(ExitCodes.Failed, second.Code);
            Assert.Contains("used by another device", second.Error, StringComparison.Ordinal);

            Assert.Equal(ExitCodes.Usage, (await EfedllmProcess.RunAsync(["cluster", "evict", id, .. asOperator])).Code);
            Assert.Equal(ExitCodes.Failed, (await EfedllmProcess.RunAsync("cluster", "evict", id, "--yes", "--gateway", $"{cluster.Gateway}", "--ca", home)).Code);
            var evicted = JsonSerializer.Deserialize((await DoneAsync(["cluster", "evict", "kitchen-pc", "--yes", "--json", .. asOperator])).Output, ApiJson.Default.EvictResult)!;
            Assert.Equal((id, true, true), (evicted.Device, evicted.Evicted, evicted.Everywhere));
            Assert.Null(evicted.Warning);
            var (code, _, error) = await device.EndAsync();
            Assert.Equal(ExitCodes.Failed, code);
            Assert.Contains("was evicted", error, StringComparison.Ordinal);
        }

        await cluster.UntilAsync(facts => IsSettled(facts, 1) && facts.Devices.All(device => device.Id != id));
        Assert.Single((await cluster.AskAsync()).Route);

        // It asks how it stands, and is told; one that does not ask is not let in.
        var again = await EfedllmProcess.RunAsync("join", "--data", home);
        Assert.Equal(ExitCodes.Failed, again.Code);
        Assert.Contains($"cluster readmit {id}", again.Error, StringComparison.Ordinal);
        var certificate = Path.GetDirectoryName(Directory.GetFiles(home, "node.crt", SearchOption.AllDirectories).Single())!;
        await using (var stubborn = EfedllmProcess.Start(
            null, "node", "--name", "stubborn", "--data", Path.Combine(home, "node"), "--role", "device", "--seed", cluster.Report.Seed, "--cert", certificate))
        {
            await RefusedAsync(Path.Combine(cluster.Data, "anchor", NodeFiles.Log), $"device {id[..8]} was evicted");
            Assert.DoesNotContain((await cluster.Client.ReadClusterAsync(CancellationToken.None)).Devices, device => device.Id == id);
        }

        await DoneAsync(["cluster", "readmit", id, .. asOperator]);
        await using var back = EfedllmProcess.Start(null, "join", "--data", home);
        await back.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
        await cluster.UntilAsync(facts => facts.Devices.Any(device => device.Id == id && device.Name == "kitchen-pc"));
        back.Terminate();
        await back.EndAsync();
    }

    [Fact]
    public async Task A_cluster_without_certificates_says_what_inviting_takes()
    {
        await using var cluster = await RunningCluster.StartAsync(1);
        var (code, _, error) = await EfedllmProcess.RunAsync("invite", "--gateway", $"{cluster.Gateway}");
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("efedllm up --ca", error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> DoneAsync(string[] arguments)
    {
        var done = await EfedllmProcess.RunAsync(arguments);
        Assert.True(done.Code == ExitCodes.Ok, done.Error);
        return done;
    }

    private static async Task RefusedAsync(string log, string text)
    {
        using var patience = new CancellationTokenSource(EfedllmProcess.Patience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (!await ContainsAsync(log, text))
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }

    private static async Task<bool> ContainsAsync(string log, string text)
    {
        using var reader = new StreamReader(new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return (await reader.ReadToEndAsync()).Contains(text, StringComparison.Ordinal);
    }

    private static bool IsSettled(ClusterFacts facts, int devices) =>
        facts.Devices.Count == devices && Node.Supervision.LocalCluster.IsPlaced(facts, devices) && facts.Models[0].Assignments.Count == devices;
}
