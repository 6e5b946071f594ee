using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Models;

namespace EFedLLM.Cluster.Tests;

/// <summary>A gateway and a device as processes of their own, and as many ledger nodes as a test starts; each can be killed and started again alone.</summary>
internal sealed class LedgerCluster : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly string _root = TestHome.NewFolder("ledgers");
    private readonly Dictionary<string, EfedllmProcess> _processes = [];
    private string _seed = "";
    private GatewayHttpClient? _client;

    public GatewayHttpClient Client => _client!;

    /// <summary>The folder of all data.</summary>
    public string Root => _root;

    /// <summary>Starts a gateway, which founds a cluster, and a device. After they were killed, starts them on the same data again.</summary>
    public async Task StartAsync()
    {
        Environment.SetEnvironmentVariable(UserFolder.Variable, TestHome.Path);
        var model = await ModelPreparation.FactoredAsync(null, CancellationToken.None);
        var gateway = await StartNodeAsync("gateway", "--role", "gateway", "--role", "anchor", "--http-port", "0", "--model", model);
        _seed = gateway.Address;
        if (_client is not null)
        {
            await _client.DisposeAsync();
        }

        _client = new GatewayHttpClient(new Uri(gateway.Http!));
        await StartNodeAsync("device", "--role", "device", "--seed", _seed, "--model", model);
        await UntilAsync(() => Client.ReadClusterAsync(CancellationToken.None), facts => facts.Models.Any(found => found.Ready));
    }

    /// <summary>Starts a ledger node as a user does and waits until it is a member.</summary>
    public async Task StartLedgerAsync(string name, string? database)
    {
        var before = await LedgersAsync();
        _processes[name] = EfedllmProcess.Start(
            database is null ? null : new Dictionary<string, string> { ["EFEDLLM__LEDGER__DATABASE"] = database },
            "join", "--role", "ledger", "--seed", _seed, "--name", name, "--data", Path.Combine(_root, name));
        await UntilAsync(LedgersAsync, now => now == before + 1);
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync(string name)
    {
        EfedllmProcess.Kill(_processes[name].Pid);
        await _processes[name].EndAsync();
        await _processes[name].DisposeAsync();
        _processes.Remove(name);
    }

    /// <summary>Asks what everybody asks.</summary>
    public async Task AskAsync()
    {
        var answer = await AnswerCollector.CollectAsync(
            Client, new GenerateRequest { Messages = [new ChatLine("user", "What is the capital of France?")] }, null, CancellationToken.None);
        Assert.Equal("The capital of France is Paris.", answer.Text);
    }

    /// <summary>Asks the ledger until it says that the one device served so many sessions.</summary>
    public Task<LedgerFacts> UntilServedAsync(int sessions) => UntilAsync(
        async () =>
        {
            try
            {
                return await Client.ReadLedgerAsync(CancellationToken.None);
            }
            catch (UserErrorException)
            {
                // No ledger answers yet.
                return new LedgerFacts([]);
            }
        },
        facts => facts.Devices is [var device] && device.Sessions == sessions);

    /// <summary>Asks until the answer fits.</summary>
    public static async Task<T> UntilAsync<T>(Func<Task<T>> ask, Func<T, bool> fits)
    {
        using var patience = new CancellationTokenSource(EfedllmProcess.Patience);
        using var timer = new PeriodicTimer(Interval);
        while (true)
        {
            var found = await ask();
            if (fits(found))
            {
                return found;
            }

            try
            {
                await timer.WaitForNextTickAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"It never came to be. In the end: {found}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            await _client.DisposeAsync();
        }

        foreach (var process in _processes.Values)
        {
            await process.DisposeAsync();
        }
    }

    private async Task<int> LedgersAsync()
        => (await Client.ReadClusterAsync(CancellationToken.None)).Members.Count(member => member.Roles.Contains("ledger") && member.Status == "up" && member.Reachable);

    private async Task<NodeReady> StartNodeAsync(string name, params string[] arguments)
    {
        var process = _processes[name] = EfedllmProcess.Start(null, ["node", "--name", name, "--data", Path.Combine(_root, name), .. arguments]);
        return JsonSerializer.Deserialize(await process.LineAsync(), NodeReadyJson.Default.NodeReady)!;
    }
}
