using EFedLLM.Node.Api;

namespace EFedLLM.Cluster.Tests;

public class JoinTests
{
    [Fact]
    public async Task A_further_device_appears_gets_layers_serves_and_leaves()
    {
        await using var cluster = await RunningCluster.StartAsync(1);
        await using (var device = EfedllmProcess.Start(null, "join", "--seed", cluster.Report.Seed, "--name", "second", "--data", TestHome.NewFolder("second")))
        {
            await device.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
            var facts = await cluster.UntilAsync(facts => IsSettled(facts, 2));
            Assert.Contains(facts.Devices, joined => joined is { Name: "second", Shards.Count: 1 });
            var answer = await cluster.AskAsync();
            Assert.Equal("The capital of France is Paris.", answer.Text);
            Assert.Equal(2, answer.Route.Count);

            device.Interrupt();
            var (code, _, error) = await device.EndAsync();
            Assert.True(code == 0, error);
        }

        await cluster.UntilAsync(facts => IsSettled(facts, 1));
        Assert.Single((await cluster.AskAsync()).Route);
    }

    [Fact]
    public async Task Nodes_with_certificates_of_one_authority_make_a_cluster()
    {
        var folder = TestHome.NewFolder("certificates");
        var (ca, here, there) = (Path.Combine(folder, "ca"), Path.Combine(folder, "here"), Path.Combine(folder, "there"));
        Assert.Equal(0, (await EfedllmProcess.RunAsync("cert", "ca", ca)).Code);
        foreach (var node in new[] { here, there })
        {
            Assert.Equal(0, (await EfedllmProcess.RunAsync("cert", "issue", node, "--ca", ca, "--host", "127.0.0.1")).Code);
        }

        await using var cluster = await RunningCluster.StartAsync(1, more: ["--cert", here]);
        await using var device = EfedllmProcess.Start(
            TestHome.Empty(), "join", "--seed", cluster.Report.Seed, "--cert", there, "--data", TestHome.NewFolder("there"));
        var facts = await cluster.UntilAsync(facts => IsSettled(facts, 2));
        Assert.All(facts.Members, member => Assert.StartsWith("akka.ssl.tcp://", member.Address, StringComparison.Ordinal));
        Assert.Equal("The capital of France is Paris.", (await cluster.AskAsync()).Text);
        device.Terminate();
        await device.EndAsync();
    }

    private static bool IsSettled(ClusterFacts facts, int devices) =>
        facts.Devices.Count == devices && Node.Supervision.LocalCluster.IsPlaced(facts, devices) && facts.Models[0].Assignments.Count == devices;
}
