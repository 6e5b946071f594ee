using System.Diagnostics;
using EFedLLM.Tests.Support.Databases;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

public sealed class LedgerTests(PostgresFixture fixture, ITestOutputHelper output) : IClassFixture<PostgresFixture>
{
    [PostgresFact]
    public async Task Losing_one_of_two_ledger_nodes_loses_nothing_and_the_other_goes_on()
    {
        var database = await (await fixture.Server).NewDatabaseAsync();
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();

        // The first has everything when the second comes: the record, and the say over who has what.
        await cluster.StartLedgerAsync("first", database);
        await cluster.AskAsync();
        await cluster.UntilServedAsync(1);
        await cluster.StartLedgerAsync("second", database);
        await cluster.AskAsync();
        await cluster.UntilServedAsync(2);

        // A report is on its way when it dies, and another comes while nobody has noticed.
        await cluster.AskAsync();
        await cluster.KillAsync("first");
        var watch = Stopwatch.StartNew();
        await cluster.AskAsync();
        output.WriteLine($"answered {watch.Elapsed.TotalSeconds:0.0} s after the kill");
        await cluster.UntilServedAsync(4);
        output.WriteLine($"all recorded {watch.Elapsed.TotalSeconds:0.0} s after the kill");
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        await cluster.AskAsync();
        await cluster.UntilServedAsync(5);

        // Of each answer that it served, and that the gateway checked it.
        Assert.Equal(["10"], await PostgresServer.QueryAsync(database, "SELECT count(*) FROM efedllm.journal"));

        foreach (var log in Directory.GetFiles(cluster.Root, "*.log", SearchOption.AllDirectories))
        {
            Assert.DoesNotContain(PostgresServer.Password, await File.ReadAllTextAsync(log), StringComparison.Ordinal);
        }
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task Without_a_ledger_answers_go_on_and_the_reports_of_a_killed_gateway_count_once_when_there_is_one()
    {
        await using var cluster = new LedgerCluster();
        await cluster.StartAsync();
        await cluster.AskAsync();
        await cluster.AskAsync();

        // Of each answer what the device did, and what the check of it showed: whoever has the answer knows that it is there.
        Assert.Equal(4, await cluster.WaitingAsync());
        await cluster.KillAsync("gateway");
        await cluster.KillAsync("device");

        await cluster.StartAsync();
        await cluster.AskAsync();
        Assert.Equal(6, await cluster.WaitingAsync());
        await cluster.StartLedgerAsync("ledger", null);
        await cluster.UntilServedAsync(3);
        await LedgerCluster.UntilAsync(() => cluster.WaitingAsync(), waiting => waiting == 0);
        await cluster.AskAsync();
        var facts = await cluster.UntilServedAsync(4);
        Assert.Equal(0, facts.Devices[0].Failures + facts.Devices[0].TimeOuts);
    }

    [Trait("Category", "Faults")]
    [PostgresFact]
    public async Task A_cluster_keeps_its_ledger_in_the_database_it_is_given_and_refuses_a_ledger_node_with_a_file_of_its_own()
    {
        var database = await (await fixture.Server).NewDatabaseAsync();
        var file = Path.Combine(TestHome.NewFolder("database"), "ledger-db");
        await File.WriteAllTextAsync(file, database);
        await using var cluster = await RunningCluster.StartAsync(1, more: ["--ledger-db", $"@{file}"]);
        var (code, _, error) = await EfedllmProcess.RunAsync("join", "--role", "ledger", "--seed", cluster.Report.Seed, "--data", TestHome.NewFolder("second-ledger"));
        Assert.Equal(1, code);
        Assert.Contains(cluster.Report.Seed, error, StringComparison.Ordinal);
        Assert.Contains("--ledger-db", error, StringComparison.Ordinal);
        await cluster.AskAsync();
        await cluster.UntilLedgerAsync(facts => facts.Devices is [{ Sessions: 1 }]);
        Assert.Equal(["1"], await PostgresServer.QueryAsync(database, "SELECT count(*) FROM efedllm.journal"));
        Assert.Empty(Directory.GetFiles(cluster.Data, "ledger.db", SearchOption.AllDirectories));
    }

    [PostgresFact]
    public async Task A_database_that_does_not_let_the_ledger_in_ends_the_start_with_the_reason_and_without_the_password()
    {
        var database = (await (await fixture.Server).NewDatabaseAsync()).Replace(PostgresServer.Password, "wr0ng-Sesame", StringComparison.Ordinal);
        var (code, output, error) = await EfedllmProcess.RunAsync("up", "--devices", "1", "--data", TestHome.NewFolder("refused"), "--ledger-db", database);
        Assert.Equal(1, code);
        Assert.Contains("password authentication failed", error, StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng-Sesame", output + error, StringComparison.Ordinal);
    }
}
