using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support.Databases;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>The ledger on a real PostgreSQL.</summary>
[Collection(PostgresTests.Name)]
public sealed class PostgresLedgerTests(PostgresFixture fixture) : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-ledger-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [PostgresFact]
    public async Task What_was_acknowledged_is_there_once_on_another_node_with_the_same_database_and_no_file_is_made()
    {
        var database = await (await fixture.Server).NewDatabaseAsync();
        DeviceRecord before;
        await using (var node = await StartAsync("first", database))
        {
            var ledger = await node.StartLedgerAsync();
            await Task.WhenAll(Enumerable.Range(1, 250).Select(i => ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, i, i)), TestNode.Patience)));
            before = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
            Assert.Equal((250, 250 * 251 / 2, 50), (before.Sessions, before.Tokens, before.Recent.Length));
        }

        await using (var node = await StartAsync("second", database))
        {
            var ledger = await node.StartLedgerAsync();
            Assert.Equal(before, await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience));
            Assert.Equal(250, (await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 250, 250)), TestNode.Patience)).Id.Sequence);
            Assert.Equal(before, await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience));
            Assert.Equal([LedgerSamples.Device], (await ledger.Ask<LedgerDevices>(new ListLedgerDevices(), TestNode.Patience)).Devices.Select(device => device));
        }

        Assert.Equal(["250"], await PostgresServer.QueryAsync(database, "SELECT count(*) FROM efedllm.journal"));
        Assert.Empty(Directory.GetFiles(_root, "ledger.db", SearchOption.AllDirectories));
    }

    [PostgresFact]
    public async Task What_checks_showed_is_there_on_another_node_with_the_same_database()
    {
        var database = await (await fixture.Server).NewDatabaseAsync();
        RecordWork[] checks = [
            .. Enumerable.Range(1, 120).Select(i => LedgerSamples.Check(1, i, CheckOutcome.Passed)),
            LedgerSamples.Check(1, 121, CheckOutcome.Soft, TrustRole.Verifier),
            .. Enumerable.Range(122, 3).Select(i => LedgerSamples.Check(1, i, CheckOutcome.Hard))];
        DeviceRecord before;
        await using (var node = await StartAsync("first", database))
        {
            var ledger = await node.StartLedgerAsync();
            foreach (var check in checks)
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(check), TestNode.Patience);
            }

            before = await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience);
            Assert.Equal((120L, 1920L, 3L, TrustTier.Excluded), (before.Server.Passed, before.Server.PassedTokens, before.Server.Hard, before.ServerTier));
            Assert.Equal((1L, TrustTier.Quarantined), (before.Verifier.Soft, before.VerifierTier));
        }

        await using (var node = await StartAsync("second", database))
        {
            var ledger = await node.StartLedgerAsync();
            Assert.Equal(before, await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience));
        }
    }

    [PostgresFact]
    public async Task Nodes_that_make_the_tables_at_once_get_one_ledger()
    {
        var database = await (await fixture.Server).NewDatabaseAsync();
        var stores = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => OpenAsync($"{i}", database)));
        Assert.Single(stores.Select(store => store.Settings.LedgerRole).Distinct());
        Assert.NotEqual(stores[0].Settings.LedgerRole, (await OpenAsync("other", await (await fixture.Server).NewDatabaseAsync())).Settings.LedgerRole);
    }

    [PostgresFact]
    public async Task A_user_who_may_write_but_not_create_is_enough_once_the_tables_are_there()
    {
        var server = await fixture.Server;
        var database = await server.NewDatabaseAsync();
        var name = database.Split(';').Single(part => part.StartsWith("Database=", StringComparison.Ordinal))["Database=".Length..];
        await PostgresServer.ExecuteAsync(database, $"CREATE ROLE scribe_{name} LOGIN PASSWORD 'abc'");
        var scribe = server.Connection(name, $"scribe_{name}", "abc");
        var denied = await Assert.ThrowsAsync<LedgerUnavailableException>(() => OpenAsync("early", scribe));
        Assert.Contains("schema efedllm", denied.Message, StringComparison.Ordinal);

        await OpenAsync("owner", database);
        await PostgresServer.ExecuteAsync(
            database, $"GRANT USAGE ON SCHEMA efedllm TO scribe_{name}; GRANT ALL ON ALL TABLES IN SCHEMA efedllm TO scribe_{name}; GRANT ALL ON ALL SEQUENCES IN SCHEMA efedllm TO scribe_{name}");
        await using var node = await StartAsync("scribe", scribe);
        var ledger = await node.StartLedgerAsync();
        await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 1)), TestNode.Patience);
    }

    [PostgresFact]
    public async Task A_database_that_cannot_be_used_stops_the_start_with_a_reason_and_without_its_password()
    {
        var server = await fixture.Server;
        var database = await server.NewDatabaseAsync();
        await RefusedAsync(database.Replace(PostgresServer.Password, "wr0ng-Sesame", StringComparison.Ordinal), "password authentication failed", "--ledger-db", "wr0ng-Sesame");
        await RefusedAsync(server.Connection("nowhere"), "\"nowhere\" does not exist", "createdb", PostgresServer.Password);
        await RefusedAsync("Host=127.0.0.1;Port=1;Database=x;Username=y;Password=s3cret", "127.0.0.1:1", "Check that it runs", "s3cret");
        await RefusedAsync("Host=no.such.host.invalid;Database=x;Username=y;Password=s3cret", "no.such.host.invalid", "Check that it runs", "s3cret");

        await OpenAsync("made", database);
        await PostgresServer.ExecuteAsync(database, "UPDATE efedllm.ledger SET form = 99");
        await RefusedAsync(database, "newer version", "99", PostgresServer.Password);
        await PostgresServer.ExecuteAsync(database, "DELETE FROM efedllm.ledger");
        await RefusedAsync(database, "incomplete", "efedllm", PostgresServer.Password);
    }

    [PostgresFact]
    public async Task While_the_database_is_away_nothing_is_acknowledged_and_when_it_is_back_everything_counts_once()
    {
        await using var server = await PostgresServer.StartAsync();
        var database = await server.NewDatabaseAsync();
        await using var node = await StartAsync("node", database);
        var ledger = await node.StartLedgerAsync();
        await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 1)), TestNode.Patience);
        await server.StopAsync();
        await Assert.ThrowsAsync<AskTimeoutException>(() => ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 2)), TimeSpan.FromSeconds(1)));
        await server.ResumeAsync();

        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (true)
        {
            try
            {
                await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 2)), TimeSpan.FromSeconds(1));
                break;
            }
            catch (AskTimeoutException) when (!patience.IsCancellationRequested)
            {
                // As a reporter does: again.
            }
        }

        Assert.Equal(2, (await ledger.Ask<DeviceRecord>(new GetDeviceRecord(LedgerSamples.Device), TestNode.Patience)).Sessions);
        Assert.Equal(["2"], await PostgresServer.QueryAsync(database, "SELECT count(*) FROM efedllm.journal"));
    }

    private async Task RefusedAsync(string database, string reason, string hint, string secret)
    {
        var error = await Assert.ThrowsAsync<LedgerUnavailableException>(() => OpenAsync("refused", database));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Contains(hint, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, error.ToString(), StringComparison.Ordinal);
    }

    private Task<TestNode> StartAsync(string folder, string database) => TestNode.StartLedgerNodeAsync(null, Path.Combine(_root, folder), database, ClusterNames.Anchor);

    private Task<LedgerStore> OpenAsync(string folder, string database) => LedgerStore.OpenAsync(
        new NodeSettings { Roles = [ClusterNames.Anchor, ClusterNames.Ledger], DataFolder = Path.Combine(_root, folder), LedgerDatabase = database }, CancellationToken.None);
}
