using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>Which ledger nodes may be in one cluster: as a table, and over real nodes.</summary>
public sealed class LedgerRulesTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-ledger-").FullName;

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    // A node as "ledger host seniority state": f is a file, d a database, - says nothing; + is up, - does not answer, j joins. Self is on
    // host a and joined second.
    [Theory]
    [InlineData("f1", "", "Run", null)]
    [InlineData("f1", "f2 b 0 +", "Leave", "--ledger-db")]
    [InlineData("f1", "f2 a 0 +", "Leave", "a:1")]
    [InlineData("f1", "f2 b 0 -", "Wait", "SQLite")]
    [InlineData("f1", "f2 b 9 +", "Run", "has to leave")]
    [InlineData("f1", "f1 a 0 +", "Run", null)]
    [InlineData("f1", "f1 b 0 +", "Leave", "SQLite")]
    [InlineData("f1", "d1 b 0 +", "Leave", "without the role ledger")]
    [InlineData("f1", "d1 b 9 +", "Run", "has to leave")]
    [InlineData("f1", "- b 0 +", "Leave", "SQLite")]
    [InlineData("d1", "", "Run", null)]
    [InlineData("d1", "d1 b 0 +", "Run", null)]
    [InlineData("d1", "d1 b 0 -", "Run", null)]
    [InlineData("d1", "d1 b 0 +|d1 c 9 +", "Run", null)]
    [InlineData("d1", "d2 b 0 +", "Leave", "another PostgreSQL database")]
    [InlineData("d1", "f1 b 0 +", "Leave", "End that node")]
    [InlineData("d1", "f1 b 0 -", "Wait", "SQLite")]
    [InlineData("d1", "f1 b 9 +", "Run", "has to leave")]
    [InlineData("d1", "- b 0 +", "Leave", "SQLite")]
    [InlineData("d1", "f1 b 0 -|f2 c 0 +", "Leave", "c:1")]
    [InlineData("f1j", "f2 b 0 j", "Wait", "SQLite")]
    [InlineData("f1j", "f2 b 9 j", "Wait", "SQLite")]
    [InlineData("f1j", "f2 b 0 +", "Leave", "b:1")]
    [InlineData("f1", "f2 b 9 j", "Run", "has to leave")]
    [InlineData("f1j", "f2 b 9 j|d1 c 0 +", "Leave", "c:1")]
    public void Ledger_nodes_run_together_on_one_database_and_a_file_runs_alone(string self, string others, string step, string? problem)
    {
        var verdict = LedgerRules.Judge(Node($"{self[..2]} a 1 {(self.EndsWith('j') ? 'j' : '+')}"), [.. others.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(Node)]);
        Assert.Equal(step, verdict.Step.ToString());
        if (problem is null)
        {
            Assert.Null(verdict.Problem);
        }
        else
        {
            Assert.Contains(problem, verdict.Problem, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("f1", "f2")]
    [InlineData("f1", "d1")]
    [InlineData("d1", "d2")]
    [InlineData("f1", "-")]
    public void Of_two_that_cannot_be_together_exactly_one_leaves_whoever_judges(string first, string second)
    {
        foreach (var (one, other) in new[] { ("0 +", "1 +"), ("1 +", "0 +"), ("1 j", "0 +"), ("0 +", "1 j") })
        {
            var (a, b) = (Node($"{first} a {one}"), Node($"{second} b {other}"));
            Assert.Equal([LedgerStep.Run, LedgerStep.Leave], new[] { LedgerRules.Judge(a, [b]).Step, LedgerRules.Judge(b, [a]).Step }.Order());
        }

        var (c, d) = (Node($"{first} a 0 j"), Node($"{second} b 1 j"));
        Assert.Equal((LedgerStep.Wait, LedgerStep.Wait), (LedgerRules.Judge(c, [d]).Step, LedgerRules.Judge(d, [c]).Step));
    }

    [Theory]
    [InlineData("ledger", null)]
    [InlineData("ledger-file-", null)]
    [InlineData("ledger-file-00000000-0000-0000-0000-000000000001", null)]
    [InlineData("ledger-file-00000000000000000000000000000001", false)]
    [InlineData("ledger-database-00000000000000000000000000000001", true)]
    public void A_ledger_is_known_by_a_role(string role, bool? shared)
    {
        var found = LedgerIdentity.Find(["anchor", role, "zzz"]);
        Assert.Equal(shared, found?.IsShared);
        Assert.Equal(shared is null ? null : role, found?.ToRole());
    }

    [Fact]
    public async Task A_second_ledger_node_with_a_file_of_its_own_is_refused_with_the_reason_and_the_first_says_so_and_goes_on()
    {
        await using var first = await TestNode.StartLedgerNodeAsync(null, Path.Combine(_root, "first"), null, ClusterNames.Anchor);
        var ledger = await first.StartLedgerAsync();
        var log = first.Log();
        await using var second = await TestNode.StartLedgerNodeAsync(first, Path.Combine(_root, "second"), null);
        var refused = await Assert.ThrowsAsync<LedgerUnavailableException>(second.StartLedgerAsync);
        Assert.Contains(first.Seed, refused.Message, StringComparison.Ordinal);
        Assert.Contains("--ledger-db", refused.Message, StringComparison.Ordinal);
        var told = await log.FirstAsync<Akka.Event.Error>(entry => entry.ToString().Contains("The ledger:", StringComparison.Ordinal));
        Assert.Contains(second.Seed, told.ToString(), StringComparison.Ordinal);
        await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 1)), TestNode.Patience);
    }

    [Fact]
    public async Task Of_two_that_join_at_once_with_files_of_their_own_one_stays()
    {
        await using var anchor = TestNode.Start(null, null, null, ClusterNames.Anchor);
        var (watcher, changes) = anchor.Collect();
        anchor.Cluster.Subscribe(watcher, Akka.Cluster.ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(Akka.Cluster.ClusterEvent.MemberRemoved));
        await using var first = await TestNode.StartLedgerNodeAsync(anchor, Path.Combine(_root, "first"), null);
        await using var second = await TestNode.StartLedgerNodeAsync(anchor, Path.Combine(_root, "second"), null);
        TestNode[] nodes = [first, second];
        var starts = nodes.Select(node => node.StartLedgerAsync()).ToArray();

        // The one that the cluster let in second is refused.
        var removed = await changes.FirstAsync<Akka.Cluster.ClusterEvent.MemberRemoved>(_ => true);
        var stays = Assert.Single(nodes, node => node.Address != removed.Member.Address);
        var left = nodes.Single(node => node != stays);
        await left.System.WhenTerminated.WaitAsync(TestNode.Patience);
        Assert.Contains(stays.Seed, Assert.IsType<CannotRunReason>(CoordinatedShutdown.Get(left.System).ShutdownReason).Message, StringComparison.Ordinal);
        var ledger = await starts[stays == first ? 0 : 1];
        await ledger.Ask<WorkRecorded>(LedgerSamples.Sign(LedgerSamples.Report(1, 1)), TestNode.Patience);

        // It was refused; or had started a moment before the cluster knew of the other one, and was told to leave then.
        var refusal = await Record.ExceptionAsync(() => starts[stays == first ? 1 : 0]);
        Assert.True(refusal is null or LedgerUnavailableException, $"{refusal}");
    }

    private static LedgerNode Node(string text)
    {
        var parts = text.Split(' ');
        return new LedgerNode(
            $"{parts[1]}:1",
            parts[1],
            parts[0] == "-" ? null : new LedgerIdentity(parts[0][0] == 'd', new Guid(parts[0][1] - '0', 0, 0, new byte[8])),
            int.Parse(parts[2], System.Globalization.CultureInfo.InvariantCulture),
            parts[3] != "j",
            parts[3] != "-");
    }
}
