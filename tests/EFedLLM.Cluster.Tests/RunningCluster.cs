using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Cluster.Tests;

/// <summary>A cluster that <c>efedllm up</c> started.</summary>
internal sealed class RunningCluster : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private RunningCluster(EfedllmProcess process, string data, UpReport report)
    {
        (Process, Data, Report) = (process, data, report);
        Gateway = new Uri(report.Gateway);
        Client = new GatewayHttpClient(Gateway);
    }

    public EfedllmProcess Process { get; }

    public string Data { get; }

    public UpReport Report { get; }

    public Uri Gateway { get; }

    public GatewayHttpClient Client { get; }

    /// <summary>Starts one and waits until it can be asked.</summary>
    public static async Task<RunningCluster> StartAsync(int devices, string? data = null, IReadOnlyDictionary<string, string>? environment = null, params string[] more)
    {
        data ??= TestHome.NewFolder("cluster");
        var process = EfedllmProcess.Start(environment, ["up", "--json", "--http-port", "0", "--devices", $"{devices}", "--data", data, .. more]);
        try
        {
            var line = await process.LineAsync();
            return new RunningCluster(process, data, JsonSerializer.Deserialize(line, ApiJson.Default.UpReport)!);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>The process id of a node.</summary>
    public int Pid(string name) => Report.Nodes.Single(node => node.Name == name).Pid;

    /// <summary>Asks until the cluster's facts fit.</summary>
    public Task<ClusterFacts> UntilAsync(Func<ClusterFacts, bool> fits) => UntilAsync(() => Client.ReadClusterAsync(CancellationToken.None), fits);

    /// <summary>Asks until the ledger's facts fit.</summary>
    public Task<LedgerFacts> UntilLedgerAsync(Func<LedgerFacts, bool> fits) => UntilAsync(ReadLedgerAsync, fits);

    /// <summary>Waits until sessions were fed more than that.</summary>
    public Task<WorkFacts> UntilServedAsync(long served) => UntilAsync(() => Client.ReadWorkAsync(CancellationToken.None), work => work.Served > served);

    private async Task<LedgerFacts> ReadLedgerAsync()
    {
        try
        {
            return await Client.ReadLedgerAsync(CancellationToken.None);
        }
        catch (UserErrorException)
        {
            // A ledger that has just started, on a machine that has much to do, may ask for a moment's patience.
            return new LedgerFacts([]);
        }
    }

    /// <summary>Asks what everybody asks.</summary>
    public Task<PromptAnswer> AskAsync(string text = "What is the capital of France?") =>
        AnswerCollector.CollectAsync(Client, new GenerateRequest { Messages = [new ChatLine("user", text)] }, null, CancellationToken.None);

    /// <summary>Whether so many devices are there, none of them about to leave, all of them in the plan, as they are equally fast, and what it wants is loaded.</summary>
    public static bool IsSettled(ClusterFacts facts, int devices) =>
        facts.Devices.Count == devices && facts.Devices.All(device => !device.Leaving) && LocalCluster.IsPlaced(facts, 1)
        && facts.Models.All(model => model.Assignments.Count == devices);

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        try
        {
            Process.Terminate();
            await Process.EndAsync();
            Assert.Empty(EfedllmProcess.Running(Data));
        }
        finally
        {
            await Process.DisposeAsync();
        }
    }

    private static async Task<T> UntilAsync<T>(Func<Task<T>> ask, Func<T, bool> fits)
    {
        using var patience = new CancellationTokenSource(EfedllmProcess.Patience);
        using var timer = new PeriodicTimer(Interval);
        while (true)
        {
            var facts = await ask();
            if (fits(facts))
            {
                return facts;
            }

            try
            {
                await timer.WaitForNextTickAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"It never came to be. In the end: {facts}");
            }
        }
    }
}
