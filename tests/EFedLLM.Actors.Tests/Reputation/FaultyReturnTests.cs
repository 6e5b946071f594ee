using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Membership;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Kernels;
using Microsoft.Data.Sqlite;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>A device that was taken for broken comes back when it has computed golden vectors rightly, and by time alone never.</summary>
public sealed class FaultyReturnTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-faulty-").FullName;
    private readonly ManualTime _time = new();

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_sound_device_that_was_taken_for_broken_computes_golden_vectors_when_its_time_is_over_and_is_back()
    {
        await using var node = await StartAsync();
        var ledger = await ExcludedAsync(node);
        var view = node.System.StartClusterView();
        var (subscriber, views) = node.Collect();
        view.Tell(new SubscribeView(subscriber));
        node.System.StartDevice(new DeviceSettings
        {
            DeviceId = LedgerSamples.Device,
            Name = "sound",
            ModelFolders = [],
            Limits = TestLimits.Reference with { DeviceBytesPerSecond = 1_000_000_000, DrainTime = TimeSpan.Zero },
            View = view,
        });
        await views.FirstAsync<ClusterView>(seen => seen.Devices.Any(device => device.Device == LedgerSamples.Device) && seen.Members.Any(member => member.Roles.Contains(ClusterNames.Ledger)));
        _time.Move(TimeSpan.FromDays(30));
        await views.FirstAsync<ClusterView>(seen => seen.TierOf(LedgerSamples.Device) == TrustTier.Quarantined);
        var back = (await RecordAsync(ledger)).Server;
        Assert.Equal((9.21, 4096L), (back.Score, back.UnpaidTokens));
    }

    [Fact]
    public async Task A_device_that_computes_them_wrongly_stays_excluded_and_is_asked_again_a_day_later_with_another_seed()
    {
        await using var node = await StartAsync();
        var ledger = await ExcludedAsync(node);
        var (host, asked) = node.Collect();
        node.Write(FactKeys.Devices, LedgerSamples.Device.Value, new DeviceAnnouncement(LedgerSamples.Device, "broken", node.Address, host, 1, 1, [], [], false, 1));
        _time.Move(TimeSpan.FromDays(30));
        var first = await asked.FirstAsync<ComputeGolden>(_ => true);
        var log = node.Log();
        Answer(node, host, first, new Digest(1, 2, 3, 4));
        await log.FirstAsync<LogEvent>(entry => $"{entry}".Contains("golden vectors wrongly", StringComparison.Ordinal));
        _time.Move(TimeSpan.FromDays(1));
        var second = await asked.FirstAsync<ComputeGolden>(_ => true);
        Assert.Equal((LedgerSamples.Device, false), (second.Device, second.Seed == first.Seed));
        Assert.Equal(TrustTier.Excluded, (await RecordAsync(ledger)).ServerTier);
        using var team = new ComputeTeam(1);
        Answer(node, host, second, GoldenVectors.Compute(second.Seed, team));
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while ((await RecordAsync(ledger)).ServerTier != TrustTier.Quarantined)
        {
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    [Theory]
    [InlineData(true, TrustTier.Excluded)]
    [InlineData(false, TrustTier.Quarantined)]
    public void What_a_node_kept_lets_only_liars_come_back_by_time(bool isFaulty, TrustTier expected)
    {
        var standing = new DeviceStanding(LedgerSamples.Device, TrustTier.Excluded, TrustTier.Probation, 20, 1, new Address("akka.tcp", "efedllm", "127.0.0.1", 1))
        {
            Exclusion = new Exclusion(isFaulty, LedgerSamples.Now, 9.21, 4096),
        };
        KeptStandings.Write(_root, [standing]);
        Assert.Equal(expected, KeptStandings.Read(_root, LedgerSamples.Now).Standings[LedgerSamples.Device].Server);
    }

    private static void Answer(TestNode node, IActorRef host, ComputeGolden question, Digest root)
        => node.System.ActorSelection("/user/examiner").Tell(new GoldenComputed(question.Device, question.Seed, root), host);

    private async Task<IActorRef> ExcludedAsync(TestNode node)
    {
        var ledger = await node.System.StartLedgerAsync(node.Key, _time, CancellationToken.None).WaitAsync(TestNode.Patience);
        for (var i = 1; i <= 5; i++)
        {
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, i, CheckOutcome.Soft) with { At = _time.GetUtcNow() }), TestNode.Patience);
        }

        var record = await RecordAsync(ledger);
        Assert.Equal((TrustTier.Excluded, true, _time.GetUtcNow().AddDays(30)), (record.ServerTier, record.Server.Exclusion!.IsFaulty, record.Server.Exclusion.Until));
        return ledger;
    }

    private static Task<DeviceRecord> RecordAsync(IActorRef ledger) => ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);

    private Task<TestNode> StartAsync() => TestNode.StartLedgerNodeAsync(null, Path.Combine(_root, "data"), null, ClusterNames.Anchor);
}
