using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Reputation;
using EFedLLM.Actors.Trust;
using Microsoft.Data.Sqlite;

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

    /// <summary>A device with an entry that is none is answered for not at all, rather than better than it is; all others are as before, and the log names it.</summary>
    [Theory]
    [InlineData("message = zeroblob(length(message))")]
    [InlineData("message = substr(message, 1, length(message) - 1)")]
    public async Task An_entry_that_was_written_over_makes_no_device_better_and_harms_no_other(string change)
    {
        await using (var node = await StartAsync())
        {
            var ledger = await node.StartLedgerAsync();
            for (var i = 1; i <= 3; i++)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Check(1, i, CheckOutcome.Hard), TestNode.Patience);
            }

            await ledger.Ask<WorkRecorded>(LedgerSamples.Check(1, 4, CheckOutcome.Hard) with { Device = Other }, TestNode.Patience);
        }

        SqliteConnection.ClearAllPools();
        await using (var connection = new SqliteConnection($"Data Source={Path.Combine(_root, "ledger.db")};Pooling=false"))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The texts are constants of this class.
            command.CommandText = $"UPDATE journal SET {change} WHERE persistence_id = '{ReputationActor.IdPrefix}{LedgerSamples.Device}' AND sequence_number = 2";
#pragma warning restore CA2100
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }

        await using var again = await StartAsync();
        var log = again.Log();
        var reader = await again.StartLedgerAsync();
        var (asker, answers) = again.Collect();
        reader.Tell(new GetDeviceRecord(LedgerSamples.Device), asker);
        await log.FirstAsync<LogEvent>(entry => entry.LogLevel() == LogLevel.ErrorLevel && $"{entry}".Contains(LedgerSamples.Device.Value, StringComparison.Ordinal));
        reader.Tell(new GetDeviceRecord(Other), asker);
        var record = await answers.FirstAsync<DeviceRecord>(_ => true);
        Assert.Equal((Other, 1L), (record.Device, record.Server.Hard));
    }

    private Task<TestNode> StartAsync() => TestNode.StartLedgerNodeAsync(null, _root, null, ClusterNames.Anchor);
}
