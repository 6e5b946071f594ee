using System.Net;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace EFedLLM.Node.Http;

/// <summary>A node's HTTP server.</summary>
internal sealed class HttpHost : IAsyncDisposable
{
    private const int MostConnections = 1024;
    private const int MostHeaderBytes = 32 * 1024;

    private static readonly TimeSpan HeadersLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(2);

    private readonly WebApplication _app;

    private readonly WorkTotals _work;

    private HttpHost(WebApplication app, WorkTotals work, Uri address) => (_app, _work, Address) = (app, work, address);

    /// <summary>Its base address.</summary>
    public Uri Address { get; }

    /// <summary>Starts listening.</summary>
    /// <param name="host">Where.</param>
    /// <param name="backend">Generates.</param>
    /// <param name="cluster">Knows the cluster.</param>
    /// <param name="settings">Bounds of requests.</param>
    /// <param name="log">Takes the log.</param>
    /// <param name="clock">Gives the times.</param>
    /// <param name="membership">Invites and evicts; null where there is nothing of that.</param>
    /// <param name="appeals">Hears appeals; null where nobody does.</param>
    /// <param name="proofs">What proves verdicts; null where none are kept.</param>
    /// <exception cref="UserErrorException">The address is in use or not allowed.</exception>
    public static async Task<HttpHost> StartAsync(
        HttpHostSettings host, IGatewayBackend backend, IClusterApi cluster, HttpApiSettings settings, ILoggerProvider log, TimeProvider clock, IMembershipApi? membership = null,
        IAppealApi? appeals = null, ProofStore? proofs = null)
    {
        if (host.Certificate is null && !BindRules.IsLoopback(host.Host))
        {
            throw new UserErrorException(
                $"HTTP on {host.Host} would be open to everybody on the network: give the node certificates (--cert), or listen on 127.0.0.1.", ExitCodes.Usage);
        }

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, host, settings));
        if (host.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        var app = builder.Build();
        var failures = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Http");
        app.Use(next => http => HttpErrors.HandleAsync(http, next, failures));
        app.UseRouting();
        app.MapOpenAi(backend, settings, clock);
        app.MapNative(backend, cluster, settings);
        var work = new WorkTotals();
        app.MapGet("/efedllm/v1/work", http => http.Response.WriteAsJsonAsync(work.Read(), ApiJson.Default.WorkFacts));
        app.MapLeave(cluster);
        app.MapHealth(backend);
        if (membership is not null)
        {
            app.MapMembership(membership);
            if (appeals is not null)
            {
                app.MapAppeal(appeals, membership);
            }
        }

        if (proofs is not null)
        {
            app.MapProofs(proofs);
        }

        app.MapFallback(http => throw new ApiException(
            StatusCodes.Status404NotFound, $"There is no {Shown(http.Request.Method)} {Shown(http.Request.Path.ToString())} here.", code: "unknown_url"));
        try
        {
            await app.StartAsync();
        }
        catch (IOException error)
        {
            work.Dispose();
            await app.DisposeAsync();
            throw new UserErrorException($"The HTTP port {host.Port} cannot be used: {error.Message} Choose another with --http-port, or 0 for any free one.", ExitCodes.Failed, error);
        }

        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new HttpHost(app, work, new Uri(address));
    }

    /// <summary>Stops listening; what still runs after a moment is cut off.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(StopLimit);
        try
        {
            await _app.StopAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // Streams that do not end by themselves end with their connections.
        }

        await _app.DisposeAsync();
        _work.Dispose();
    }

    private static void Configure(KestrelServerOptions kestrel, HttpHostSettings host, HttpApiSettings settings)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = settings.BodyBytes;
        kestrel.Limits.MaxConcurrentConnections = MostConnections;
        kestrel.Limits.MaxRequestHeadersTotalSize = MostHeaderBytes;
        kestrel.Limits.RequestHeadersTimeout = HeadersLimit;
        var address = IPAddress.TryParse(host.Host, out var parsed) ? parsed : IPAddress.Loopback;
        kestrel.Listen(address, host.Port, listen =>
        {
            listen.Protocols = host.Certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
            if (host.Certificate is { } certificate)
            {
                listen.UseHttps(certificate);
            }
        });
    }

    private static string Shown(string text) => text.Length > 64 ? text[..64] + "…" : text;
}
