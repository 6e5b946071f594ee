namespace EFedLLM.Cluster.Tests;

public class LeaveTests
{
    [Trait("Category", "Faults")]
    [Fact]
    public async Task Every_device_is_restarted_one_after_the_other_under_load_and_no_request_is_lost()
    {
        await using var cluster = await RunningCluster.StartAsync(3);
        await using var load = await SteadyLoad.StartAsync(cluster, 3);
        var restarted = new List<DeviceProcess>();
        try
        {
            foreach (var device in cluster.Report.Nodes.Where(node => node.Device is not null))
            {
                EfedllmProcess.Terminate(device.Pid);
                await cluster.UntilAsync(facts => facts.Members.All(member => !member.Address.EndsWith(device.Address, StringComparison.Ordinal)));
                restarted.Add(await DeviceProcess.StartAsync(cluster, device.Name, Path.Combine(cluster.Data, device.Name)));
                Assert.Equal(device.Device, restarted[^1].Ready.Device);
                await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 3));
            }

            Assert.InRange(await load.StopAsync(), 3, int.MaxValue);
        }
        finally
        {
            foreach (var device in restarted)
            {
                await device.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task A_device_that_is_asked_to_leave_hands_over_first_and_its_process_ends_well()
    {
        await using var cluster = await RunningCluster.StartAsync(1);
        await using var device = EfedllmProcess.Start(null, "join", "--seed", cluster.Report.Seed, "--name", "second", "--data", TestHome.NewFolder("second"));
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 2));
        await using var load = await SteadyLoad.StartAsync(cluster, 2);
        var (code, output, error) = await EfedllmProcess.RunAsync("leave", "nobody", "--gateway", cluster.Gateway.ToString());
        Assert.Equal(2, code);
        Assert.Contains("no device nobody. There are: device-1", error, StringComparison.Ordinal);

        (code, output, error) = await EfedllmProcess.RunAsync("leave", "second", "--gateway", cluster.Gateway.ToString());
        Assert.True(code == 0, error);
        Assert.Equal("second has left", output.Trim());
        var (ended, _, said) = await device.EndAsync();
        Assert.True(ended == 0, said);
        Assert.Contains("the others hold its layers of efed-mini now", said, StringComparison.Ordinal);
        Assert.EndsWith("left the cluster", said.TrimEnd(), StringComparison.Ordinal);
        Assert.InRange(await load.StopAsync(), 2, int.MaxValue);
        Assert.True(RunningCluster.IsSettled(await cluster.Client.ReadClusterAsync(CancellationToken.None), 1));
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task The_last_device_says_that_nobody_can_take_over_and_a_second_request_ends_it_at_once()
    {
        await using var cluster = await RunningCluster.StartAsync(1);
        await using var last = EfedllmProcess.Start(null, "join", "--seed", cluster.Report.Seed, "--name", "last", "--data", TestHome.NewFolder("last"));
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 2));
        EfedllmProcess.Terminate(cluster.Pid("device-1"));
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 1));

        last.Interrupt();
        await last.ErrorLineAsync(line => line.StartsWith("nobody else can take over efed-mini; waiting up to 60 s", StringComparison.Ordinal));
        Assert.Equal("The capital of France is Paris.", (await cluster.AskAsync()).Text);
        last.Interrupt();
        var (code, _, said) = await last.EndAsync();
        Assert.Equal(130, code);
        Assert.EndsWith("stopped at once", said.TrimEnd(), StringComparison.Ordinal);
        Assert.DoesNotContain("left the cluster", said, StringComparison.Ordinal);
    }
}
