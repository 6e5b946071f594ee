namespace EFedLLM.Cluster.Tests;

public class NetworkCutTests
{
    [Trait("Category", "Faults")]
    [CutFact]
    public async Task The_side_with_the_anchor_goes_on_the_other_stops_and_after_healing_there_is_one_cluster_and_the_ledger_is_right()
    {
        await using var network = CutNetwork.Create();
        var (here, there) = await CertificatesAsync(network);
        await using var cluster = await RunningCluster.StartAsync(1, more: ["--host", network.Here, "--cert", here]);
        await using var first = await DeviceProcess.StartInAsync(network.Name, cluster, "far-1", TestHome.NewFolder("far-1"), "--host", network.There, "--cert", there);
        await using var second = await DeviceProcess.StartInAsync(network.Name, cluster, "far-2", TestHome.NewFolder("far-2"), "--host", network.There, "--cert", there);
        var before = await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 3));
        var tally = new Tally(cluster);
        var answer = await tally.AskAsync();
        await tally.SettledAsync();

        network.Cut();
        await cluster.UntilAsync(facts => facts.Members.Count == 2 && RunningCluster.IsSettled(facts, 1));
        Assert.Equal(answer.TokenIds, (await tally.AskAsync()).TokenIds);
        await Task.WhenAll(Removed(first), Removed(second));

        network.Heal();
        await Task.WhenAll(Back(first), Back(second));
        var after = await cluster.UntilAsync(facts => facts.Members.Count == 4 && RunningCluster.IsSettled(facts, 3));
        Assert.Equal(before.Devices.Select(device => (device.Id, device.Name)), after.Devices.Select(device => (device.Id, device.Name)));
        Assert.Equal(answer.TokenIds, (await tally.AskAsync()).TokenIds);

        // Nobody was in the middle of an answer, so nobody lost one; what the near side did meanwhile counts once.
        await tally.SettledAsync();
        foreach (var device in new[] { first, second })
        {
            device.Process.Terminate();
            Assert.Equal(0, (await device.Process.EndAsync()).Code);
        }

        static Task Removed(DeviceProcess device) => device.Process.ErrorLineAsync(line => line.StartsWith("the cluster has removed this node", StringComparison.Ordinal));
        static Task Back(DeviceProcess device) => device.Process.ErrorLineAsync(line => line.StartsWith("back in the cluster at ", StringComparison.Ordinal));
    }

    private static async Task<(string Here, string There)> CertificatesAsync(CutNetwork network)
    {
        var folder = TestHome.NewFolder("cut");
        var ca = Path.Combine(folder, "ca");
        Assert.Equal(0, (await EfedllmProcess.RunAsync("cert", "ca", ca)).Code);
        foreach (var (name, host) in new[] { ("here", network.Here), ("there", network.There) })
        {
            Assert.Equal(0, (await EfedllmProcess.RunAsync("cert", "issue", Path.Combine(folder, name), "--ca", ca, "--host", host)).Code);
        }

        return (Path.Combine(folder, "here"), Path.Combine(folder, "there"));
    }
}
