using System.Net;
using System.Net.Sockets;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Configuration;
using EFedLLM.Node.CommandLine;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace EFedLLM.Node.Http;

/// <summary>
/// Gives a device's model files to others, on a listener of its own: weights never stand between Akka's heartbeats. Where the cluster has
/// TLS, whoever connects must show a certificate of the same authority, as on Akka's transport.
/// </summary>
internal sealed class BlobHost : IAsyncDisposable
{
    private const int MostHeaderBytes = 8 * 1024;

    /// <summary>Connections that do not transfer anything at the moment, beside those that do.</summary>
    private const int IdleConnections = 256;

    /// <summary>Whoever takes less than so many bytes a second is cut off, so that nobody holds a place by dawdling.</summary>
    private const double LeastBytesPerSecond = 4 * 1024;

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(1);

    private readonly WebApplication _app;
    private readonly BlobEndpoint _endpoint;

    private BlobHost(WebApplication app, BlobEndpoint endpoint, int port) => (_app, _endpoint, Port) = (app, endpoint, port);

    /// <summary>The port it listens on.</summary>
    public int Port { get; }

    /// <summary>Starts listening.</summary>
    /// <param name="settings">Where and how.</param>
    /// <param name="store">The files.</param>
    /// <param name="log">Takes the log.</param>
    /// <exception cref="UserErrorException">The address is in use or not allowed.</exception>
    public static async Task<BlobHost> StartAsync(BlobHostSettings settings, BlobStore store, ILoggerProvider log)
    {
        if (settings.Certificate is null && !BindRules.IsLoopback(settings.Host))
        {
            throw new UserErrorException(
                $"Model files on {settings.Host} would be open to everybody on the network: give the node certificates (--cert), or listen on 127.0.0.1.", ExitCodes.Usage);
        }

        var address = await ResolveAsync(settings.Host);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, address, settings));
        if (settings.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        var app = builder.Build();
        var endpoint = new BlobEndpoint(store, settings.Limits);
        app.Run(endpoint.HandleAsync);
        try
        {
            await app.StartAsync();
        }
        catch (IOException error)
        {
            await app.DisposeAsync();
            endpoint.Dispose();
            throw new UserErrorException(
                $"The port {settings.Limits.Port} for model files cannot be used: {error.Message} Choose another with efedllm.blobs.port, or 0 for any free one.", ExitCodes.Failed, error);
        }

        var bound = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new BlobHost(app, endpoint, new Uri(bound).Port);
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
            // Transfers end with their connections; whoever was taking one goes on elsewhere.
        }

        await _app.DisposeAsync();
        _endpoint.Dispose();
    }

    private static void Configure(KestrelServerOptions kestrel, IPAddress address, BlobHostSettings settings)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = 0;
        kestrel.Limits.MaxConcurrentConnections = settings.Limits.Uploads + IdleConnections;
        kestrel.Limits.MaxRequestHeadersTotalSize = MostHeaderBytes;
        kestrel.Limits.RequestHeadersTimeout = Grace;
        kestrel.Limits.MinResponseDataRate = new MinDataRate(LeastBytesPerSecond, Grace);
        kestrel.Listen(address, settings.Limits.Port, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            if (settings.Certificate is { } certificate)
            {
                listen.UseHttps(new HttpsConnectionAdapterOptions
                {
                    ServerCertificate = certificate.Certificate,
                    ClientCertificateMode = ClientCertificateMode.RequireCertificate,
                    ClientCertificateValidation = (shown, _, _) => certificate.Reject(shown) is null,
                    HandshakeTimeout = Grace,
                });
            }
        });
    }

    private static async Task<IPAddress> ResolveAsync(string host)
    {
        if (IPAddress.TryParse(host.Trim('[', ']'), out var parsed))
        {
            return parsed;
        }

        if (BindRules.IsLoopback(host))
        {
            return IPAddress.Loopback;
        }

        try
        {
            return (await Dns.GetHostAddressesAsync(host)).First();
        }
        catch (Exception error) when (error is SocketException or ArgumentException or InvalidOperationException)
        {
            throw new UserErrorException($"The host {host} has no address on which model files could be given: {error.Message} Name an address with --host.", ExitCodes.Failed, error);
        }
    }
}
