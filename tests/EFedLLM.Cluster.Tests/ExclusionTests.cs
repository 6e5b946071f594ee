using System.Text.Json;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Transformer.Checkpoints;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

/// <summary>What people see of checks, and of a device that is excluded for them: real processes, and a gateway of the test's own that reports.</summary>
public sealed class ExclusionTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_device_that_is_excluded_gets_no_work_any_more_and_everybody_is_shown_why()
    {
        await using var cluster = await RunningCluster.StartAsync(3);
        Assert.Equal("The capital of France is Paris.", (await cluster.AskAsync()).Text);
        var devices = (await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 3))).Devices;
        Assert.All(devices, device => Assert.Null(device.Standing));
        Assert.DoesNotContain("standing", await TellAsync("cluster", "show"), StringComparison.Ordinal);

        // One that is far slower than the others may hold nothing.
        var bad = devices.First(device => device.Shards.Count > 0);
        var (good, doubtful) = (devices.First(device => device != bad), devices.Last(device => device != bad));
        var reporter = await ReportAsync(cluster, [
            (good, CheckOutcome.Passed), (good, CheckOutcome.Passed), (doubtful, CheckOutcome.Passed), (doubtful, CheckOutcome.Soft),
            (bad, CheckOutcome.Passed), (bad, CheckOutcome.Hard), (bad, CheckOutcome.Hard), (bad, CheckOutcome.Hard)]);
        var facts = await cluster.UntilAsync(facts => facts.Models.All(model => model.Ready)
            && facts.Devices.Single(device => device.Id == bad.Id) is { Standing: "excluded", Shards: [] });
        Assert.Equal(("probation", 2L), (facts.Devices.Single(device => device.Id == good.Id).Standing, facts.Devices.Single(device => device.Id == good.Id).ChecksPassed));
        Assert.Equal(("quarantined", 1L), (facts.Devices.Single(device => device.Id == doubtful.Id).Standing, facts.Devices.Single(device => device.Id == doubtful.Id).ChecksPassed));
        Assert.DoesNotContain(facts.Models.SelectMany(model => model.Assignments), assignment => assignment.Device == bad.Id);
        var answer = await cluster.AskAsync();
        Assert.Equal("The capital of France is Paris.", answer.Text);
        Assert.DoesNotContain(bad.Id, answer.Route.Select(hop => hop.Device));

        Assert.Contains("excluded", await TellAsync("cluster", "show"), StringComparison.Ordinal);
        Assert.Contains("quarantined", await TellAsync("ledger", "list"), StringComparison.Ordinal);
        var shown = await TellAsync("ledger", "show", bad.Id[..8]);
        Assert.Contains("another root", shown, StringComparison.Ordinal);
        Assert.Contains("0000000000000001", shown, StringComparison.Ordinal);
        var json = JsonSerializer.Deserialize(await TellAsync("ledger", "show", bad.Id, "--json"), ApiJson.Default.LedgerDevice)!;
        Assert.Equal(("excluded", 1L, 0L, 3L), (json.Server!.Standing, json.Server.Passed, json.Server.Soft, json.Server.Hard));
        Assert.Null(json.Verifier);
        var entry = json.Recent.First(line => line.Outcome == "checked");
        Assert.Equal(reporter.Value, entry.Reporter);
        var check = entry.Check!;
        Assert.Equal(("server", "hard", good.Id, "another root", 64), (check.Role, check.Result, check.Verifier, check.Reason, check.Expected!.Length));

        // Whoever runs the device reads why it gets no work.
        var log = await File.ReadAllTextAsync(Directory.GetFiles(cluster.Data, "*.log", SearchOption.AllDirectories).Single(file => file.Contains(bad.Name, StringComparison.Ordinal)));
        Assert.Contains("This device is excluded from the cluster", log, StringComparison.Ordinal);
        Assert.Contains("a check found this device wrong", log, StringComparison.Ordinal);

        // So does whoever started it, and what can be done.
        await cluster.Process.ErrorLineAsync(line => line.StartsWith($"{bad.Name}: a check found this device wrong", StringComparison.Ordinal)
            && line.Contains("another root", StringComparison.Ordinal) && line.Contains($"efedllm ledger appeal {bad.Id[..8]}", StringComparison.Ordinal));
        await cluster.Process.ErrorLineAsync(line => line.StartsWith($"{bad.Name}: this device is excluded as a server until", StringComparison.Ordinal));

        async Task<string> TellAsync(params string[] arguments)
        {
            var (code, said, error) = await EfedllmProcess.RunAsync([.. arguments, "--gateway", cluster.Report.Gateway]);
            output.WriteLine($"efedllm {string.Join(' ', arguments)}\n{said}");
            Assert.Equal((0, ""), (code, error));
            return said;
        }
    }

    /// <summary>Reports checks as a gateway does, in order.</summary>
    /// <returns>Whose word they are.</returns>
    private static async Task<DeviceId> ReportAsync(RunningCluster cluster, IReadOnlyList<(DeviceFacts Device, CheckOutcome Outcome)> checks)
    {
        var folder = TestHome.NewFolder("checks");
        using var key = DeviceKey.LoadOrCreate(Path.Combine(folder, "key.pem"));
        var setup = NodeConfiguration.Setup(new NodeSettings { Roles = [ClusterNames.Verifier], Seeds = [cluster.Report.Seed], DataFolder = folder });
        var bootstrap = setup.Get<BootstrapSetup>().Value;
        var quiet = ConfigurationFactory.ParseString("akka { loggers = [], stdout-loglevel = OFF }");
        var system = ActorSystem.Create(ClusterNames.System, setup.And(bootstrap.WithConfig(quiet.WithFallback(bootstrap.Config.Value))));
        try
        {
            var ledger = await system.StartLedgerAsync(key, CancellationToken.None);
            var reporter = await system.StartWorkReporterAsync(ledger, Path.Combine(folder, "outbox.db"), new OutboxLimits(100, 1 << 20), TimeProvider.System, key);
            foreach (var (number, (device, outcome)) in checks.Index())
            {
                var range = device.Shards is [var shard, ..] ? new LayerRange(shard.First, shard.End) : new LayerRange(0, 1);
                var verifier = new DeviceId(checks.First(check => check.Device.Id != device.Id).Device.Id);
                reporter.Tell(new WorkReport(
                    new DeviceId(device.Id), SessionId.New(), new ModelId(new string('a', 64)), range, WorkOutcome.Checked, 16,
                    new CheckFacts(
                        TrustRole.Server, outcome, 16 * number, outcome == CheckOutcome.Soft ? default : verifier, outcome == CheckOutcome.Soft ? default : new Digest(1, 2, 3, 4),
                        outcome == CheckOutcome.Hard ? new Digest(9, 2, 3, 4) : new Digest(1, 2, 3, 4), default,
                        outcome switch { CheckOutcome.Passed => "", CheckOutcome.Soft => "no opening within 30 s", _ => "another root" })));
            }

            Assert.True(await reporter.FlushReportsAsync(EfedllmProcess.Patience));
            return key.Device;
        }
        finally
        {
            await CoordinatedShutdown.Get(system).Run(CoordinatedShutdown.ClrExitReason.Instance);
        }
    }
}
