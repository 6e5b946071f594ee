using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using Microsoft.Data.Sqlite;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>The ledger on a real journal.</summary>
public sealed class LedgerTests : IDisposable
{
    private static readonly DeviceId Other = new(new string('e', 32));

    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-ledger-").FullName;

    private string Data => Path.Combine(_root, "data");

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task What_was_acknowledged_is_there_once_after_a_sudden_end_and_a_repeated_report_counts_no_second_time()
    {
        var report = LedgerSamples.Report(1, 1);
        await using var node = await StartAsync(Data);
        var ledger = await node.StartLedgerAsync();
        Assert.Equal(new WorkRecorded(report.Id, report.Device), await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(report), TestNode.Patience));

        // What a killed process leaves: the files as they are at this moment, with nothing flushed, closed or said goodbye to.
        var left = Path.Combine(_root, "left");
        Directory.CreateDirectory(left);
        foreach (var file in Directory.GetFiles(Data, "ledger.db*").Where(file => !file.EndsWith(".lock", StringComparison.Ordinal)))
        {
            Copy(file, Path.Combine(left, Path.GetFileName(file)));
        }

        await using var again = await StartAsync(left);
        ledger = await again.StartLedgerAsync();
        var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(report.Device), TestNode.Patience);
        Assert.Equal((1, 100, 800, 0.0), (record.Sessions, record.Tokens, record.LayerTokens, record.Reward));
        Assert.Equal(report.Id, (await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(report), TestNode.Patience)).Id);
        Assert.Equal(record, await ledger.Ask<DeviceRecord>(new GetDeviceRecord(report.Device), TestNode.Patience));
        Assert.Equal([report.Device], (await ledger.Ask<LedgerDevices>(new ListLedgerDevices(), TestNode.Patience)).Devices.Select(device => device));
    }

    [Fact]
    public async Task Hundreds_of_entries_come_back_from_a_snapshot_and_the_entries_after_it()
    {
        DeviceRecord before;
        await using (var node = await StartAsync(Data))
        {
            var ledger = await node.StartLedgerAsync();
            await Task.WhenAll(Enumerable.Range(1, 250).Select(i => ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, i, i)), TestNode.Patience)));
            before = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
            Assert.Equal((250, 250 * 251 / 2, 50), (before.Sessions, before.Tokens, before.Recent.Length));

            // One snapshot, of entry 200, as soon as the one of entry 100 is deleted.
            await SnapshotsAsync([200]);
        }

        await using (var node = await StartAsync(Data))
        {
            var ledger = await node.StartLedgerAsync();
            Assert.Equal(before, await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience));
            Assert.Equal(250, (await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 250)), TestNode.Patience)).Id.Sequence);
            Assert.Equal(before, await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience));
        }
    }

    [Fact]
    public async Task A_gateway_reports_and_asks_through_a_proxy()
    {
        await using var keeper = await StartAsync(Data);
        await using var gateway = TestNode.Start(keeper, null, null, ClusterNames.Gateway);
        await Task.WhenAll(keeper.UpAsync(2), gateway.UpAsync(2));
        await keeper.StartLedgerAsync();
        var ledger = await gateway.StartLedgerAsync();
        Assert.Empty((await ledger.Ask<LedgerDevices>(new ListLedgerDevices(), TestNode.Patience)).Devices);

        var reporter = await gateway.System.StartWorkReporterAsync(ledger, Path.Combine(_root, "outbox.db"), new OutboxLimits(100, 1 << 20), TimeProvider.System, gateway.Key);
        var work = new WorkReport(LedgerSamples.Device, SessionId.New(), new ModelId(new string('a', 64)), new LayerRange(2, 5), WorkOutcome.Served, 10);
        reporter.Tell(work);
        reporter.Tell(work with { Outcome = WorkOutcome.TimedOut });
        reporter.Tell(work with { Device = Other, Outcome = WorkOutcome.Failed });
        var record = await RecordAsync(ledger, LedgerSamples.Device, record => record.Recent.Length == 2);
        Assert.Equal((1, 30, 1, 0), (record.Sessions, record.LayerTokens, record.TimeOuts, record.Failures));
        Assert.Equal((0.0, 1.0), (record.Reward, record.Penalty));
        Assert.Equal(4.0, (await RecordAsync(ledger, Other, record => record.Failures == 1)).Penalty);
        Assert.Equal([LedgerSamples.Device, Other], (await ledger.Ask<LedgerDevices>(new ListLedgerDevices(), TestNode.Patience)).Devices.Select(device => device));
    }

    [Fact]
    public async Task A_report_without_sense_counts_nothing_and_harms_nothing()
    {
        await using var node = await StartAsync(Data);
        var ledger = await node.StartLedgerAsync();
        ledger.Tell(LedgerSamples.Sign(LedgerSamples.Report(1, 0)));
        ledger.Tell(LedgerSamples.Sign(LedgerSamples.Report(1, 1, -1)));
        ledger.Tell(LedgerSamples.Sign(LedgerSamples.Report(1, 1) with { Range = new LayerRange(3, 3) }));
        ledger.Tell(LedgerSamples.Sign(LedgerSamples.Report(1, 1, 1, (WorkOutcome)7)));
        ledger.Tell(LedgerSamples.Sign(LedgerSamples.Report(1, 1, 1, WorkOutcome.Checked)));
        ledger.Tell(LedgerSamples.Sign(LedgerSamples.Check(1, 1, CheckOutcome.Hard) with { Outcome = WorkOutcome.Served }));
        ledger.Tell("nonsense");
        Assert.Equal(1, (await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 1)), TestNode.Patience)).Id.Sequence);
        var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
        Assert.Single(record.Recent);
    }

    [Fact]
    public async Task A_report_that_is_not_truly_signed_counts_nothing_and_one_that_is_says_whose_word_it_was()
    {
        using var other = DeviceKey.Create();
        await using var node = await StartAsync(Data);
        var (ledger, log) = (await node.StartLedgerAsync(), node.Log());
        var signed = LedgerSamples.Sign(LedgerSamples.Check(1, 1, CheckOutcome.Hard));
        RecordWork[] forged = [
            signed with { Signed = null },
            signed with { Signed = signed.Signed! with { PublicKey = [.. other.PublicKey.Span] } },
            signed with { Signed = LedgerSamples.Sign(signed, other).Signed! with { PublicKey = signed.Signed.PublicKey } },
            signed with { Session = SessionId.New() }];
        foreach (var report in forged)
        {
            ledger.Tell(report);
            await log.FirstAsync<LogEvent>(entry => $"{entry}".Contains("it is not truly signed", StringComparison.Ordinal));
        }

        Assert.Empty((await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience)).Recent);
        await ledger.Ask<WorkRecorded>(signed, TestNode.Patience);

        // What another one says under the same number was said already.
        await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(signed, other), TestNode.Patience);
        await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(2, 1, CheckOutcome.Hard), other), TestNode.Patience);
        var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
        Assert.Equal([other.Device, LedgerSamples.Key.Device], record.Recent.Select(entry => entry.Reporter!.Value));
    }

    /// <summary>What a liar says of others is answered, so that it does not wait with it for ever, and is nowhere; also when it says so again, and when the ledger has started anew.</summary>
    [Theory]
    [InlineData(TrustRole.Server)]
    [InlineData(TrustRole.Verifier)]
    public async Task The_word_of_an_excluded_device_about_others_is_answered_and_counts_nothing(TrustRole role)
    {
        using var liar = DeviceKey.Create();
        var slander = LedgerSamples.Sign(LedgerSamples.Check(2, 2, CheckOutcome.Hard), liar);
        await using (var node = await StartAsync(Data))
        {
            var ledger = await node.StartLedgerAsync();
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(2, 1, CheckOutcome.Hard), liar), TestNode.Patience);
            for (var i = 1; i <= 3; i++)
            {
                Assert.Equal(1, (await RecordAsync(ledger, LedgerSamples.Device, _ => true)).Server.Hard);
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, i, CheckOutcome.Hard, role) with { Device = liar.Device }), TestNode.Patience);
            }

            await SlanderAsync(ledger);
        }

        await using var again = await StartAsync(Data);
        await SlanderAsync(await again.StartLedgerAsync());

        async Task SlanderAsync(IActorRef ledger)
        {
            foreach (var report in (RecordWork[])[slander, slander, LedgerSamples.Sign(LedgerSamples.Report(2, 3, 5, WorkOutcome.Failed), liar), LedgerSamples.Sign(LedgerSamples.Check(2, 4, CheckOutcome.Passed), liar)])
            {
                Assert.Equal(report.Id, (await ledger.Ask<WorkRecorded>(report, TestNode.Patience)).Id);
            }

            var record = await RecordAsync(ledger, LedgerSamples.Device, _ => true);
            Assert.Equal((1L, 0L, 0L), (record.Server.Hard, record.Server.Passed, record.Failures));
        }
    }

    [Fact]
    public async Task A_device_that_was_only_asked_about_is_not_listed()
    {
        await using var node = await StartAsync(Data);
        var ledger = await node.StartLedgerAsync();
        var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(Other), TestNode.Patience);
        Assert.Equal(ReputationState.Empty(Other).ToRecord(LedgerSamples.Trust, LedgerSamples.Later), record);
        Assert.Empty((await ledger.Ask<LedgerDevices>(new ListLedgerDevices(), TestNode.Patience)).Devices);
    }

    [Fact]
    public async Task A_file_that_is_no_database_or_in_use_stops_the_start_with_a_reason()
    {
        Directory.CreateDirectory(Data);
        await File.WriteAllTextAsync(Path.Combine(Data, "ledger.db"), new string('x', 5000));
        var damaged = await Assert.ThrowsAsync<LedgerUnavailableException>(() => StartAsync(Data));
        Assert.Contains("ledger.db", damaged.Message, StringComparison.Ordinal);
        Assert.Contains("--data", damaged.Message, StringComparison.Ordinal);

        var free = Path.Combine(_root, "free");
        await using (await StartAsync(free))
        {
            var used = await Assert.ThrowsAsync<LedgerUnavailableException>(() => StartAsync(free));
            Assert.Contains("another process", used.Message, StringComparison.Ordinal);
        }

        await using var third = await StartAsync(free);

        await File.WriteAllTextAsync(Path.Combine(_root, "file"), "");
        await Assert.ThrowsAsync<LedgerUnavailableException>(() => StartAsync(Path.Combine(_root, "file")));
    }

    private static Task<TestNode> StartAsync(string data) => TestNode.StartLedgerNodeAsync(null, data, null, ClusterNames.Anchor);

    private static void Copy(string from, string to)
    {
        using var source = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var target = File.Create(to);
        source.CopyTo(target);
    }

    private static async Task<DeviceRecord> RecordAsync(IActorRef ledger, DeviceId device, Func<DeviceRecord, bool> fits)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (true)
        {
            var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(device), patience.Token);
            if (fits(record))
            {
                return record;
            }
        }
    }

    private async Task SnapshotsAsync(long[] expected)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(Data, "ledger.db")}");
        await connection.OpenAsync(patience.Token);
        while (true)
        {
            var found = new List<long>();
            await using var command = connection.CreateCommand();
            command.CommandText = "SELECT sequence_number FROM snapshot ORDER BY sequence_number";
            await using var reader = await command.ExecuteReaderAsync(patience.Token);
            while (await reader.ReadAsync(patience.Token))
            {
                found.Add(reader.GetInt64(0));
            }

            if (found.SequenceEqual(expected))
            {
                return;
            }

            await Task.Delay(20, patience.Token);
        }
    }
}
