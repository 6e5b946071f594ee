using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>A device is excluded while it serves: real nodes, a real ledger, a real model.</summary>
public sealed class ExclusionTests(GenerationCluster cluster, ITestOutputHelper output) : IClassFixture<GenerationCluster>, IDisposable
{
    private const int Answers = 6;

    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-exclusion-").FullName;

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_root, recursive: true);
    }

    [SharedFact]
    public async Task An_answer_leaves_a_device_that_is_excluded_at_once_and_is_the_same_and_nothing_new_goes_there()
    {
        await cluster.PlaceReplicaAsync();
        await using var keeper = await TestNode.StartLedgerNodeAsync(cluster.GatewayNode, Path.Combine(_root, "data"), null);
        await keeper.StartLedgerAsync();
        var ledger = await cluster.GatewayNode.StartLedgerAsync();
        var reporter = await cluster.GatewayNode.System.StartWorkReporterAsync(ledger, Path.Combine(_root, "outbox.db"), new OutboxLimits(100, 1 << 20), TimeProvider.System, cluster.GatewayNode.Key);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        var settings = new GenerationSettings { MaxTokens = 400, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = 0.7f, Seed = 6 } };
        var expected = await CollectAsync(client, settings);

        var log = cluster.GatewayNode.Log();
        var (running, told) = (new TaskCompletionSource<DeviceId>(), 0L);

        // Several at once take long enough to be under way when the ledger has counted, also where the machine has much else to do.
        var answers = Enumerable.Range(0, Answers).Select(_ => Task.Run(() => CollectAsync(client, settings, started => running.TrySetResult(started.Route[^1].Device)))).ToArray();
        var liar = await running.Task.WaitAsync(TestNode.Patience);
        for (var i = 0; i < 3; i++)
        {
            told = Stopwatch.GetTimestamp();
            reporter.Tell(new WorkReport(liar, SessionId.New(), cluster.Model.Served.Model, new(3, 5), WorkOutcome.Checked, 16, Failure));
        }

        await log.FirstAsync<LogEvent>(entry => $"{entry}".Contains("looks for another way", StringComparison.Ordinal) && $"{entry}".Contains("is excluded from the cluster", StringComparison.Ordinal));
        output.WriteLine($"{Stopwatch.GetElapsedTime(told).TotalMilliseconds:0} ms from the deciding report until the session left the device");
        foreach (var events in await Task.WhenAll(answers))
        {
            Assert.Equal(Text(expected), Text(events));
            Assert.Equal(FinishReason.Length, Assert.IsType<GenerationFinished>(events[^1]).Reason);
        }

        for (var i = 0; i < 5; i++)
        {
            var next = await CollectAsync(client, settings with { MaxTokens = 2 });
            Assert.DoesNotContain(liar, ((GenerationStarted)next[0]).Route.Select(hop => hop.Device));
        }

        await cluster.EmptyAsync();
        var reports = new List<WorkReport>();
        while (cluster.Reports.TryRead(out var report))
        {
            reports.Add((WorkReport)report);
        }

        var bad = reports.Where(report => report.Device == liar && report.Outcome != WorkOutcome.Served).ToArray();
        Assert.InRange(bad.Length, 1, Answers);
        Assert.All(bad, report => Assert.Equal(WorkOutcome.Failed, report.Outcome));
    }

    private static CheckFacts Failure { get; } = new(
        TrustRole.Server, CheckOutcome.Hard, 0, TestSessions.Device(7), new Digest(1, 2, 3, 4), new Digest(4, 3, 2, 1), default, "another root");

    private static string Text(List<IEvent> events) => string.Concat(events.OfType<TokenGenerated>().Select(token => token.Text));

    private static async Task<List<IEvent>> CollectAsync(GatewayClient client, GenerationSettings settings, Action<GenerationStarted>? atStart = null)
    {
        using var patience = new CancellationTokenSource(4 * TestNode.Patience);
        var events = new List<IEvent>();
        await foreach (var next in client.GenerateAsync(new Prompt(PromptId.New(), new PromptInput(Text: "Once upon a time"), settings), patience.Token))
        {
            events.Add(next);
            if (next is GenerationStarted started)
            {
                atStart?.Invoke(started);
            }
        }

        return events;
    }
}
