using System.Diagnostics;
using System.Threading.Channels;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>How what checks show gets from the reporter of a gateway through a real ledger to every node.</summary>
public sealed class StandingTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-standing-").FullName;

    private string Data => Path.Combine(_root, "data");

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_check_gets_through_reporter_and_ledger_to_the_record_and_the_view_of_every_node()
    {
        await using var keeper = await StartAsync();
        await using var gateway = TestNode.Start(keeper, null, null, ClusterNames.Gateway);
        await Task.WhenAll(keeper.UpAsync(2), gateway.UpAsync(2));
        var views = new[] { Watch(keeper), Watch(gateway) };
        await keeper.StartLedgerAsync();
        var (ledger, reporter) = await ReporterAsync(gateway);
        var facts = LedgerSamples.Check(1, 1, CheckOutcome.Passed).Check!;
        reporter.Tell(Work(LedgerSamples.Device, facts));
        reporter.Tell(Work(LedgerSamples.Device, facts with { Outcome = CheckOutcome.Soft, Reason = new string('r', 999) }));
        foreach (var view in views)
        {
            var standing = (await view.FirstAsync<ClusterView>(view => view.TierOf(LedgerSamples.Device) == TrustTier.Quarantined)).Standings[LedgerSamples.Device];
            Assert.Equal(new DeviceStanding(LedgerSamples.Device, TrustTier.Quarantined, TrustTier.Probation, 4.605, 2, keeper.Address) { Preference = 2.0 / 16 }, standing);
        }

        reporter.Tell(Work(LedgerSamples.Device, facts with { Role = TrustRole.Verifier, Outcome = CheckOutcome.Hard }));
        foreach (var view in views)
        {
            await view.FirstAsync<ClusterView>(view => view.Standings[LedgerSamples.Device].Verifier == TrustTier.Quarantined);
        }

        var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
        Assert.Equal((1L, 16L, 1L, 0L, 4.605), (record.Server.Passed, record.Server.PassedTokens, record.Server.Soft, record.Server.Hard, record.Server.Score));
        Assert.Equal((0L, 1L, TrustTier.Quarantined), (record.Verifier.Passed, record.Verifier.Hard, record.VerifierTier));
        Assert.Equal((0, 0.0, 0.0), (record.Sessions, record.Reward, record.Penalty));
        Assert.Equal(facts, record.Recent[2].Check);
        Assert.Equal(new string('r', ProtocolLimits.ReasonCharacters - 3) + "...", record.Recent[1].Check!.Reason);
    }

    [Fact]
    public async Task A_failure_that_is_reported_again_and_again_counts_once()
    {
        await using var keeper = await StartAsync();
        var ledger = await keeper.StartLedgerAsync();
        for (var i = 0; i < 5; i++)
        {
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, 1, CheckOutcome.Hard)), TestNode.Patience);
        }

        var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
        Assert.Equal((1L, 6.908, TrustTier.Quarantined), (record.Server.Hard, record.Server.Score, record.ServerTier));
    }

    [Fact]
    public async Task Whoever_was_excluded_is_so_when_the_whole_cluster_comes_back_although_nobody_asks_about_it()
    {
        await using (var keeper = await StartAsync())
        {
            var ledger = await keeper.StartLedgerAsync();
            for (var i = 1; i <= 3; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, i, CheckOutcome.Hard)), TestNode.Patience);
            }
        }

        await using var again = await StartAsync();
        await using var device = TestNode.Start(again, null, null, ClusterNames.Device);
        await Task.WhenAll(again.UpAsync(2), device.UpAsync(2));
        var views = Watch(device);
        var (host, _) = device.Collect();
        device.Write(FactKeys.Devices, LedgerSamples.Device.Value, Facts.Device('d', device.Address, host));
        await again.StartLedgerAsync();
        var watch = Stopwatch.StartNew();
        await views.FirstAsync<ClusterView>(view => view.IsExcluded(LedgerSamples.Device));
        output.WriteLine($"{watch.Elapsed.TotalMilliseconds:0} ms from the start of the ledger to every node");
    }

    [Fact]
    public async Task From_the_deciding_failure_on_every_node_knows_soon()
    {
        const int Trials = 100;
        await using var keeper = await StartAsync();
        await using var gateway = TestNode.Start(keeper, null, null, ClusterNames.Gateway);
        await using var first = TestNode.Start(keeper, null, null, ClusterNames.Device);
        await using var second = TestNode.Start(keeper, null, null, ClusterNames.Device);
        var nodes = new[] { keeper, gateway, first, second };
        await Task.WhenAll(nodes.Select(node => node.UpAsync(4)));
        var views = nodes.Select(Watch).ToArray();
        await keeper.StartLedgerAsync();
        var (_, reporter) = await ReporterAsync(gateway);
        var hard = LedgerSamples.Check(1, 1, CheckOutcome.Hard).Check!;
        var devices = Enumerable.Range(1, Trials).Select(number => new DeviceId($"{number:x32}")).ToArray();
        foreach (var device in devices.Concat(devices))
        {
            reporter.Tell(Work(device, hard));
        }

        Assert.True(await reporter.FlushReportsAsync(TestNode.Patience));
        var times = new List<double>();
        foreach (var device in devices)
        {
            var start = Stopwatch.GetTimestamp();
            reporter.Tell(Work(device, hard));
            foreach (var view in views)
            {
                await view.FirstAsync<ClusterView>(view => view.IsExcluded(device));
            }

            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        times.Sort();
        output.WriteLine($"{Trials} exclusions, from the report to all {nodes.Length} nodes: p50 {times[Trials / 2]:0} ms, p99 {times[Trials * 99 / 100]:0} ms");

        // The goal is a p99 of a second, on a machine that has nothing else to do: here others of these tests run beside it.
        Assert.InRange(times[Trials / 2], 0, 1000);
    }

    private static WorkReport Work(DeviceId device, CheckFacts facts)
        => new(device, SessionId.New(), new ModelId(new string('a', 64)), new LayerRange(2, 5), WorkOutcome.Checked, 16, facts);

    private static ChannelReader<object> Watch(TestNode node)
    {
        var (subscriber, views) = node.Collect();
        node.System.StartClusterView().Tell(new SubscribeView(subscriber));
        return views;
    }

    private async Task<(IActorRef Ledger, IActorRef Reporter)> ReporterAsync(TestNode gateway)
    {
        var ledger = await gateway.StartLedgerAsync();
        return (ledger, await gateway.System.StartWorkReporterAsync(ledger, Path.Combine(_root, "outbox.db"), new OutboxLimits(1000, 1 << 20), TimeProvider.System, gateway.Key));
    }

    private Task<TestNode> StartAsync() => TestNode.StartLedgerNodeAsync(null, Data, null, ClusterNames.Anchor);
}
