using System.Diagnostics;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

public class GhostTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Promise = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task A_device_that_dies_leaves_the_cluster_soon_and_is_itself_again_when_it_returns_at_another_address()
    {
        await using var cluster = await RunningCluster.StartAsync(1);
        var tally = new Tally(cluster);
        var data = TestHome.NewFolder("ghost");
        var first = await DeviceProcess.StartAsync(cluster, "second", data);
        await using (first)
        {
            await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 2));
            await tally.AskAsync();
            await tally.SettledAsync();
            EfedllmProcess.Kill(first.Process.Pid);
        }

        var clock = Stopwatch.StartNew();
        var gone = GoneAsync();
        await using var again = await DeviceProcess.StartAsync(cluster, "second", data);
        Assert.Equal(first.Ready.Device, again.Ready.Device);
        Assert.NotEqual(first.Ready.Address, again.Ready.Address);
        var back = await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 2) && facts.Devices.Any(device => device.Id == again.Ready.Device && Ends(device.Address, again)));
        output.WriteLine($"the device serves again {clock.Elapsed.TotalSeconds:0.0} s after its death");
        Assert.Single(back.Devices, device => device.Id == again.Ready.Device);

        Assert.InRange(await gone, TimeSpan.Zero, Promise);
        await tally.AskAsync();
        await tally.SettledAsync();

        async Task<TimeSpan> GoneAsync()
        {
            await cluster.UntilAsync(facts => facts.Devices.All(device => !Ends(device.Address, first)));
            output.WriteLine($"its ghost is no device any more {clock.Elapsed.TotalSeconds:0.0} s after its death");
            await cluster.UntilAsync(facts => facts.Members.All(member => !Ends(member.Address, first)));
            output.WriteLine($"its ghost is gone after {clock.Elapsed.TotalSeconds:0.0} s");
            return clock.Elapsed;
        }
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task A_device_that_sleeps_is_removed_and_joins_again_by_itself_when_it_wakes()
    {
        await using var cluster = await RunningCluster.StartAsync(1);
        await using var sleeper = await DeviceProcess.StartAsync(cluster, "sleeper", TestHome.NewFolder("sleeper"));
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 2));
        sleeper.Process.Freeze();
        var clock = Stopwatch.StartNew();
        await cluster.UntilAsync(facts => facts.Members.All(member => !Ends(member.Address, sleeper)));
        output.WriteLine($"it is gone after {clock.Elapsed.TotalSeconds:0.0} s");
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 1));
        Assert.Equal("The capital of France is Paris.", (await cluster.AskAsync()).Text);

        sleeper.Process.Thaw();
        await sleeper.Process.ErrorLineAsync(line => line.StartsWith("the cluster has removed this node", StringComparison.Ordinal));
        await sleeper.Process.ErrorLineAsync(line => line.StartsWith("back in the cluster at ", StringComparison.Ordinal));
        var facts = await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 2));
        Assert.Contains(facts.Devices, device => device.Id == sleeper.Ready.Device);
        sleeper.Process.Terminate();
        Assert.Equal(0, (await sleeper.Process.EndAsync()).Code);
    }

    private static bool Ends(string address, DeviceProcess device) => address.EndsWith($"@{device.Ready.Address}", StringComparison.Ordinal);
}
