using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Models;
using Microsoft.Data.Sqlite;

namespace EFedLLM.Cluster.Tests;

/// <summary>A gateway and a device as processes of their own, and as many ledger nodes as a test starts; each can be killed and started again alone.</summary>
internal sealed class LedgerCluster : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly string _root = TestHome.NewFolder("ledgers");
    private readonly Dictionary<string, EfedllmProcess> _processes = [];
    private string _model = "";
    private string _seed = "";
    private GatewayHttpClient? _client;

    public GatewayHttpClient Client => _client!;

    /// <summary>The folder of all data.</summary>
    public string Root => _root;

    /// <summary>Starts a gateway, which founds a cluster, and a device. After they were killed, starts them on the same data again.</summary>
    /// <param name="saboteur">What the device does wrong, or null.</param>
    public async Task StartAsync(string? saboteur = null)
    {
        Environment.SetEnvironmentVariable(UserFolder.Variable, TestHome.Path);
        _model = await ModelPreparation.FactoredAsync(null, CancellationToken.None);
        var gateway = await StartNodeAsync("gateway", "--role", "gateway", "--role", "anchor", "--http-port", "0", "--model", _model);
        _seed = gateway.Address;
        if (_client is not null)
        {
            await _client.DisposeAsync();
        }

        _client = new GatewayHttpClient(new Uri(gateway.Http!));
        await StartNodeAsync("device", ["--role", "device", "--seed", _seed, "--model", _model, .. saboteur is null ? [] : new[] { "--saboteur", saboteur }]);
        await UntilReadyAsync(Client);
    }

    /// <summary>Starts one more gateway, which can be killed without the others. After it was, starts it on the same data again.</summary>
    public async Task<GatewayHttpClient> StartGatewayAsync(string name)
    {
        var gateway = await StartNodeAsync(name, "--role", "gateway", "--seed", _seed, "--http-port", "0", "--model", _model);
        var client = new GatewayHttpClient(new Uri(gateway.Http!));
        await UntilReadyAsync(client);
        return client;
    }

    /// <summary>Starts a ledger node as a user does and waits until it is a member.</summary>
    public async Task StartLedgerAsync(string name, string? database)
    {
        // One that was killed may be among them for a while.
        var before = await LedgersAsync();
        _processes[name] = EfedllmProcess.Start(
            database is null ? null : new Dictionary<string, string> { ["EFEDLLM__LEDGER__DATABASE"] = database },
            "join", "--role", "ledger", "--seed", _seed, "--name", name, "--data", Path.Combine(_root, name));
        await UntilAsync(LedgersAsync, now => now.Except(before).Any());
    }

    /// <summary>Stops a process where it is: what is sent to it waits in its socket.</summary>
    public void Freeze(string name) => _processes[name].Freeze();

    /// <summary>Lets it go on.</summary>
    public void Thaw(string name) => _processes[name].Thaw();

    /// <summary>Reports that wait for the ledger on a gateway's disk.</summary>
    public async Task<long> WaitingAsync(string gateway = "gateway")
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(_root, gateway, "outbox.db")};Mode=ReadOnly;Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM report";
        return (long)(await command.ExecuteScalarAsync())!;
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
    public Task AskAsync() => AskAsync(Client);

    /// <summary>Asks a gateway what everybody asks.</summary>
    public static async Task AskAsync(GatewayHttpClient gateway)
    {
        var answer = await AnswerCollector.CollectAsync(
            gateway, new GenerateRequest { Messages = [new ChatLine("user", "What is the capital of France?")] }, null, CancellationToken.None);
        Assert.Equal("The capital of France is Paris.", answer.Text);
    }

    /// <summary>Asks the ledger until it says that the one device served so many sessions.</summary>
    public Task<LedgerFacts> UntilServedAsync(int sessions) => UntilLedgerAsync(facts => facts.Devices is [var device] && device.Sessions == sessions);

    /// <summary>Asks the ledger until what it says fits.</summary>
    public Task<LedgerFacts> UntilLedgerAsync(Func<LedgerFacts, bool> fits) => UntilAsync(
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
        fits);

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

    private static Task<ClusterFacts> UntilReadyAsync(GatewayHttpClient gateway)
        => UntilAsync(() => gateway.ReadClusterAsync(CancellationToken.None), facts => facts.Models.Any(found => found.Ready));

    private async Task<IReadOnlyList<string>> LedgersAsync()
        => [.. (await Client.ReadClusterAsync(CancellationToken.None)).Members
            .Where(member => member.Roles.Contains("ledger") && member.Status == "up" && member.Reachable)
            .Select(member => member.Address)];

    private async Task<NodeReady> StartNodeAsync(string name, params string[] arguments)
    {
        var process = _processes[name] = EfedllmProcess.Start(null, ["node", "--name", name, "--data", Path.Combine(_root, name), .. arguments]);
        return JsonSerializer.Deserialize(await process.LineAsync(), NodeReadyJson.Default.NodeReady)!;
    }
}
