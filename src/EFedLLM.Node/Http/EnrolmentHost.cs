using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace EFedLLM.Node.Http;

/// <summary>
/// Where invited devices enrol: HTTPS, apart from the other interface because it is the one thing that a machine without a certificate may
/// ask. It takes little, keeps nobody waiting, and says nothing about the cluster to whoever has no invite.
/// </summary>
internal sealed class EnrolmentHost : IAsyncDisposable
{
    /// <summary>The largest body of a request.</summary>
    public const int MostBodyBytes = 16 * 1024;

    private const int MostConnections = 64;
    private const int MostHeaderBytes = 8 * 1024;
    private const int MostNameCharacters = 64;

    private static readonly TimeSpan HeadersLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IdleLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(1);

    private readonly WebApplication _app;

    private EnrolmentHost(WebApplication app, int port) => (_app, Port) = (app, port);

    /// <summary>Its port.</summary>
    public int Port { get; }

    /// <summary>Starts listening.</summary>
    /// <param name="host">Address or name of this machine.</param>
    /// <param name="port">TCP port; 0 is any free one.</param>
    /// <param name="desk">Enrols.</param>
    /// <param name="identity">This node.</param>
    /// <param name="log">Takes the log.</param>
    /// <exception cref="UserErrorException">The address cannot be used.</exception>
    public static async Task<EnrolmentHost> StartAsync(string host, int port, EnrolmentDesk desk, NodeIdentity identity, ILoggerProvider log)
    {
        var address = await AddressAsync(host);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, address, port, identity.Certificate.Certificate));
        builder.WebHost.UseKestrelHttpsConfiguration();
        var app = builder.Build();
        var failures = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Enrolment");
        app.Use(next => http => HttpErrors.HandleAsync(http, next, failures));
        app.UseRouting();
        app.MapGet("/efedllm/v1/authority", (HttpContext http) => http.Response.WriteAsJsonAsync(new AuthorityAnswer(desk.AuthorityPem), ApiJson.Default.AuthorityAnswer));
        app.MapPost("/efedllm/v1/enrol", http => EnrolAsync(http, desk, failures));
        app.MapGet("/efedllm/v1/standing/{device}", (HttpContext http, string device) =>
            http.Response.WriteAsJsonAsync(new StandingAnswer(identity.Revocations.Current.Find(Device(device))?.At), ApiJson.Default.StandingAnswer));
        app.MapFallback(_ => throw new ApiException(StatusCodes.Status404NotFound, "Devices enrol here; there is nothing else.", code: "unknown_url"));
        try
        {
            await app.StartAsync();
        }
        catch (IOException error)
        {
            await app.DisposeAsync();
            throw new UserErrorException($"Devices cannot enrol at {new HostPort(host, Math.Max(port, 1))}: {error.Message} Choose another port with --enrol-port, or 0 for any free one.", ExitCodes.Failed, error);
        }

        var bound = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new EnrolmentHost(app, new Uri(bound).Port);
    }

    /// <summary>Stops listening.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(StopLimit);
        try
        {
            await _app.StopAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // Whoever is still sending is cut off.
        }

        await _app.DisposeAsync();
    }

    private static async Task<IPAddress> AddressAsync(string host)
    {
        try
        {
            return IPAddress.TryParse(host, out var parsed) ? parsed : (await Dns.GetHostAddressesAsync(host))[0];
        }
        catch (System.Net.Sockets.SocketException error)
        {
            throw new UserErrorException($"Devices cannot enrol at {host}, which is no address of this machine: {error.Message}", ExitCodes.Failed, error);
        }
    }

    private static void Configure(KestrelServerOptions kestrel, IPAddress address, int port, X509Certificate2 certificate)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = MostBodyBytes;
        kestrel.Limits.MaxConcurrentConnections = MostConnections;
        kestrel.Limits.MaxRequestHeadersTotalSize = MostHeaderBytes;
        kestrel.Limits.RequestHeadersTimeout = HeadersLimit;
        kestrel.Limits.KeepAliveTimeout = IdleLimit;
        kestrel.Listen(address, port, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(certificate);
        });
    }

    private static async Task EnrolAsync(HttpContext http, EnrolmentDesk desk, ILogger log)
    {
        var request = await JsonSerializer.DeserializeAsync(http.Request.Body, ApiJson.Default.EnrolRequest, http.RequestAborted);
        if (request is not { Invite: { Length: <= 64 }, Secret: not null, SigningRequest: not null, DeviceKey: not null, Proof: not null, Name: { Length: > 0 and <= MostNameCharacters } name }
            || string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl))
        {
            throw new ApiException(StatusCodes.Status400BadRequest, "The request is incomplete: use the same version of efedllm as the cluster.");
        }

        var from = http.Connection.RemoteIpAddress ?? IPAddress.None;
        try
        {
            var (certificate, called) = desk.Enrol(
                new EnrolmentRequest(request.Invite, request.Secret, request.SigningRequest, request.DeviceKey, request.Proof, name, request.Time), from);
            await http.Response.WriteAsJsonAsync(new EnrolAnswer(certificate, called), ApiJson.Default.EnrolAnswer);
        }
        catch (EnrolmentException refused)
        {
            log.LogWarning("Refused to enrol a device from {Address}: {Refusal}", from, refused.Refusal);
            throw new ApiException(Status(refused.Refusal), refused.Message, code: $"enrolment_{refused.Refusal.ToString().ToLowerInvariant()}") { RetryAfter = "60" };
        }
    }

    private static DeviceId Device(string text)
    {
        try
        {
            return new DeviceId(text);
        }
        catch (FormatException error)
        {
            throw ApiException.Invalid("device", error.Message);
        }
    }

    private static int Status(EnrolmentRefusal refusal) => refusal switch
    {
        EnrolmentRefusal.Unknown => StatusCodes.Status404NotFound,
        EnrolmentRefusal.Expired or EnrolmentRefusal.Revoked => StatusCodes.Status410Gone,
        EnrolmentRefusal.Used => StatusCodes.Status409Conflict,
        EnrolmentRefusal.Evicted => StatusCodes.Status403Forbidden,
        EnrolmentRefusal.TooMany => StatusCodes.Status429TooManyRequests,
        _ => StatusCodes.Status400BadRequest,
    };
}
