using System.Globalization;
using Akka.Actor;
using Akka.DistributedData;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Reputation;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Microsoft.Data.Sqlite;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>Somebody writes into the ledger's file while it is not running.</summary>
public sealed class TamperedJournalTests : IDisposable
{
    private static readonly DeviceId Other = new(new string('e', 32));

    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-tampered-").FullName;

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>A device with an entry that is none is answered for not at all, rather than better than it is; all others are as before, and the log names it and says what to do.</summary>
    [Theory]
    [InlineData("message = zeroblob(length(message))")]
    [InlineData("message = substr(message, 1, length(message) - 1)")]
    public async Task An_entry_that_was_written_over_makes_no_device_better_and_harms_no_other(string change)
    {
        await FillAsync(3);
        Assert.Equal(1, await ExecuteAsync($"UPDATE journal SET {change} WHERE {Rows} AND sequence_number = 2"));

        await using var again = await StartAsync();
        var log = again.Log();
        var reader = await again.StartLedgerAsync();
        var (asker, answers) = again.Collect();
        reader.Tell(new GetDeviceRecord(LedgerSamples.Device), asker);
        await log.FirstAsync<LogEvent>(entry => entry.LogLevel() == LogLevel.ErrorLevel && $"{entry}".Contains("behind entry 1 cannot be read", StringComparison.Ordinal));
        reader.Tell(new GetDeviceRecord(Other), asker);
        var record = await answers.FirstAsync<DeviceRecord>(_ => true);
        Assert.Equal((Other, 1L), (record.Device, record.Server.Hard));
    }

    /// <summary>Each row makes sense for itself: it is what stands before and behind it that tells.</summary>
    [Theory]
    [InlineData("removed", "DELETE FROM journal WHERE {0} AND sequence_number = 2", "entry 2 is missing")]
    [InlineData("removed from the beginning", "DELETE FROM journal WHERE {0} AND sequence_number = 1", "entry 1 is missing")]
    [InlineData("removed, and the others moved up", "DELETE FROM journal WHERE {0} AND sequence_number = 2; UPDATE journal SET sequence_number = 2 WHERE {0} AND sequence_number = 3; UPDATE journal SET sequence_number = 3 WHERE {0} AND sequence_number = 4", "entry 2 was changed, or belongs elsewhere")]
    [InlineData("said to be deleted", "UPDATE journal SET deleted = 1 WHERE {0} AND sequence_number = 4", "entry 4 is missing")]
    [InlineData("swapped with another", "UPDATE journal SET sequence_number = 9 WHERE {0} AND sequence_number = 2; UPDATE journal SET sequence_number = 2 WHERE {0} AND sequence_number = 3; UPDATE journal SET sequence_number = 3 WHERE {0} AND sequence_number = 9", "entry 2 was changed, or belongs elsewhere")]
    [InlineData("taken from another device", "UPDATE journal SET message = (SELECT message FROM journal WHERE NOT ({0}) AND sequence_number = 1) WHERE {0} AND sequence_number = 1", "entry 1 was changed, or belongs elsewhere")]
    [InlineData("written as before rows were linked", "UPDATE journal SET manifest = 'fp', message = x'0801' WHERE {0} AND sequence_number = 3", "entry 3 has no link, and those before it have")]
    public async Task A_row_that_is_not_where_the_ledger_wrote_it_ends_the_account_and_says_what_to_do(string what, string change, string problem)
    {
        _ = what;
        await FillAsync(4);
        Assert.InRange(await ExecuteAsync(string.Format(CultureInfo.InvariantCulture, change, Rows)), 1, 3);
        await AssertRefusedAsync(problem);
    }

    [Fact]
    public async Task A_row_with_other_numbers_in_it_ends_the_account_wherever_it_stands()
    {
        await FillAsync(4);

        // A hard failure of role and outcome 1 and 3, and the same as a check that passed.
        var row = await ReadAsync($"SELECT message FROM journal WHERE {Rows} AND sequence_number = 4");
        var at = row.AsSpan().IndexOf((byte[])[0x5a, 0x66, 0x08, 0x01, 0x10, 0x03]);
        row[at < 0 ? row.AsSpan().IndexOf((byte[])[0x08, 0x01, 0x10, 0x03]) + 3 : at + 5] = 1;
        Assert.Equal(1, await ExecuteAsync($"UPDATE journal SET message = x'{Convert.ToHexString(row)}' WHERE {Rows} AND sequence_number = 4"));
        await AssertRefusedAsync("entry 4 was changed, or belongs elsewhere");
    }

    [Fact]
    public async Task A_snapshot_that_was_changed_or_is_ahead_of_its_rows_ends_the_account()
    {
        await FillAsync(ReputationActor.SnapshotEvery + 2);
        var rows = Rows;
        var snapshot = await ReadAsync($"SELECT snapshot FROM snapshot WHERE {rows}");
        var state = Form.ReputationState.Parser.ParseFrom(Form.LinkedEntry.Parser.ParseFrom(snapshot).Entry);
        state.Segments.Clear();
        var changed = Form.LinkedEntry.Parser.ParseFrom(snapshot);
        changed.Entry = state.ToByteString();
        Assert.Equal(1, await ExecuteAsync($"UPDATE snapshot SET snapshot = x'{Convert.ToHexString(changed.ToByteArray())}' WHERE {rows}"));
        await AssertRefusedAsync($"the snapshot of entries 1 to {ReputationActor.SnapshotEvery} was changed, or belongs elsewhere");
    }

    /// <summary>No snapshot is a loss: all rows are there.</summary>
    [Fact]
    public async Task An_account_whose_snapshot_is_gone_is_as_it_was()
    {
        await FillAsync(ReputationActor.SnapshotEvery + 2);
        Assert.Equal(1, await ExecuteAsync($"DELETE FROM snapshot WHERE {Rows}"));
        await using var again = await StartAsync();
        var ledger = await again.StartLedgerAsync();
        var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
        Assert.Equal(ReputationActor.SnapshotEvery + 2, record.Server.Hard);
    }

    /// <summary>Rows as the version before there were links wrote them: they are read, and what comes next is linked.</summary>
    [Fact]
    public async Task Rows_from_before_there_were_links_are_read_and_followed_by_rows_with_links()
    {
        await FillAsync(4);
        foreach (var number in new[] { 1, 2, 3, 4 })
        {
            var row = Form.LinkedEntry.Parser.ParseFrom(await ReadAsync($"SELECT message FROM journal WHERE {Rows} AND sequence_number = {number}"));
            await ExecuteAsync($"UPDATE journal SET manifest = '{row.Manifest}', message = x'{Convert.ToHexString(row.Entry.Span)}' WHERE {Rows} AND sequence_number = {number}");
        }

        foreach (var sequence in new[] { 5, 6 })
        {
            await using var node = await StartAsync();
            var ledger = await node.StartLedgerAsync();
            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, sequence, CheckOutcome.Hard)), TestNode.Patience);
            var record = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
            Assert.Equal(sequence, record.Server.Hard);
        }

        SqliteConnection.ClearAllPools();
        Assert.Equal(1, await ExecuteAsync($"DELETE FROM journal WHERE {Rows} AND sequence_number = 3"));
        await AssertRefusedAsync("entry 3 is missing");
    }

    private static string Rows => $"persistence_id = '{ReputationActor.IdPrefix}{LedgerSamples.Device}'";

    /// <summary>The ledger refuses the account to whoever asks and to whoever wants a verdict back, counts nothing for it and tells the cluster nothing of it; and it serves all others.</summary>
    private async Task AssertRefusedAsync(string problem)
    {
        await using var again = await StartAsync();
        var (log, reader) = (again.Log(), await again.StartLedgerAsync());
        var (asker, answers) = again.Collect();
        reader.Tell(LedgerSamples.Sign(LedgerSamples.Check(1, 1000, CheckOutcome.Passed)), asker);
        reader.Tell(new StrikeVerdict(LedgerSamples.Device, new VerdictId("0000000001"), "a test"), asker);
        reader.Tell(new GetDeviceRecord(LedgerSamples.Device), asker);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(new AccountRefused(LedgerSamples.Device, problem), await answers.FirstAsync<object>(_ => true));
        }

        var told = await log.FirstAsync<LogEvent>(entry => entry.LogLevel() == LogLevel.ErrorLevel);
        Assert.Contains(problem, $"{told}", StringComparison.Ordinal);
        Assert.Contains("from a copy", $"{told}", StringComparison.Ordinal);
        var record = await reader.Ask<DeviceRecord>(new GetDeviceRecord(Other), TestNode.Patience);
        Assert.Equal(1L, record.Server.Hard);
        var standings = await DistributedData.Get(again.System).Replicator.Ask<IGetResponse>(Dsl.Get(FactKeys.Standings, ReadLocal.Instance), TestNode.Patience);
        Assert.DoesNotContain(LedgerSamples.Device.Value, standings.IsSuccessful ? standings.Get(FactKeys.Standings).Keys : []);
    }

    /// <summary>Fills the journal with so many hard failures of one device, and one of another.</summary>
    private async Task FillAsync(int failures)
    {
        await using (var node = await StartAsync())
        {
            var ledger = await node.StartLedgerAsync();
            for (var i = 1; i <= failures; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, i, CheckOutcome.Hard)), TestNode.Patience);
            }

            await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Check(1, failures + 1, CheckOutcome.Hard) with { Device = Other }), TestNode.Patience);
        }

        SqliteConnection.ClearAllPools();
    }

    private async Task<int> ExecuteAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = Command(connection, sql);
        return await command.ExecuteNonQueryAsync();
    }

    private async Task<byte[]> ReadAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = Command(connection, sql);
        return (byte[])(await command.ExecuteScalarAsync())!;
    }

    private async Task<SqliteConnection> OpenAsync()
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(_root, "ledger.db")};Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

#pragma warning disable CA2100 // The texts are constants of this class.
    private static SqliteCommand Command(SqliteConnection connection, string sql) => new(sql, connection);
#pragma warning restore CA2100

    private Task<TestNode> StartAsync() => TestNode.StartLedgerNodeAsync(null, _root, null, ClusterNames.Anchor);
}
