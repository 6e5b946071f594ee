using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using EFedLLM.Actors.Auditing;
using EFedLLM.Node.Api;
using EFedLLM.Node.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace EFedLLM.Node.Tests.Http;

/// <summary>The real HTTP server on a free port, before a scripted gateway.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly HttpHost _host;

    private TestServer(HttpHost host) => (_host, Client) = (host, new HttpClient { BaseAddress = host.Address });

    public HttpClient Client { get; }

    public Uri Address => _host.Address;

    public static async Task<TestServer> StartAsync(ScriptedBackend? backend = null, HttpApiSettings? settings = null, IClusterApi? cluster = null, IMembershipApi? membership = null, IAppealApi? appeals = null, ProofStore? proofs = null) => new(await HttpHost.StartAsync(
        new HttpHostSettings("127.0.0.1", 0), backend ?? new ScriptedBackend(), cluster ?? new EmptyCluster(), settings ?? new HttpApiSettings(), NullLoggerProvider.Instance, TimeProvider.System, membership, appeals, proofs));

    /// <summary>Posts a body and returns the status and the JSON that came back.</summary>
    public async Task<(int Status, JsonElement Body)> PostAsync(string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await Client.PostAsync(new Uri(path, UriKind.Relative), content);
        return ((int)response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _host.DisposeAsync();
    }

    private sealed class EmptyCluster : IClusterApi
    {
        public Task<ClusterFacts> ReadClusterAsync(CancellationToken cancellation) => Task.FromResult(new ClusterFacts("akka.tcp://efedllm@127.0.0.1:1", null, [], [], []));

        public Task<PlanFacts> ReadPlanAsync(PlanQuestion question, CancellationToken cancellation) => Task.FromResult(new PlanFacts([]));

        public Task<LedgerFacts> ReadLedgerAsync(CancellationToken cancellation) => Task.FromException<LedgerFacts>(new TimeoutException());

        public Task<LedgerDevice?> ReadLedgerAsync(string device, CancellationToken cancellation) => Task.FromResult<LedgerDevice?>(null);

        public Task<LeaveFacts?> LeaveAsync(string device, CancellationToken cancellation) => Task.FromResult<LeaveFacts?>(null);
    }
}
