using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Client;

/// <summary>Enrols a device where its invite says, and asks later how it stands there. Nothing that is secret is sent before the other side has proven what it is.</summary>
internal sealed class EnrolmentClient(TimeProvider time)
{
    private const int MostAnswerBytes = 64 * 1024;

    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan StandingLimit = TimeSpan.FromSeconds(3);

    /// <summary>Enrols a device, and puts its certificate and what it needs to join into a folder.</summary>
    /// <param name="invite">The invite.</param>
    /// <param name="folder">The cluster's folder, as <see cref="JoinedCluster.Folder"/> says; a key that a first attempt left there is used again.</param>
    /// <param name="key">The device's key.</param>
    /// <param name="name">What the device calls itself, where the invite does not say.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">The device is not enrolled; the message says why and what to do.</exception>
    public async Task<JoinedCluster> EnrolAsync(InviteToken invite, string folder, DeviceKey key, string name, CancellationToken cancellation)
    {
        UserErrorException? last = null;
        foreach (var address in invite.Addresses)
        {
            try
            {
                return await EnrolAsync(invite, HostPort.Parse(address, "The invite's address"), folder, key, name, cancellation);
            }
            catch (UserErrorException unreachable) when (unreachable.ExitCode == ExitCodes.NotReachable)
            {
                last = unreachable;
            }
        }

        throw last!;
    }

    /// <summary>When a device was evicted from its cluster, or null where it was not, or nobody can be asked now.</summary>
    /// <param name="joined">The cluster.</param>
    /// <param name="device">The device.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<DateTimeOffset?> EvictedAsync(JoinedCluster joined, DeviceId device, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(StandingLimit);
        foreach (var address in joined.Addresses)
        {
            try
            {
                using var http = Client(HostPort.Parse(address, "The address"), peer => peer is not null && CertificateRules.Fingerprint(peer) == joined.Server ? null : "it is another");
                return (await http.GetFromJsonAsync($"efedllm/v1/standing/{device}", ApiJson.Default.StandingAnswer, patience.Token))?.Evicted;
            }
            catch (Exception error) when (error is HttpRequestException or JsonException || (error is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                // The node may have moved; whether the device is let in shows when it joins.
            }
        }

        return null;
    }

    private async Task<JoinedCluster> EnrolAsync(InviteToken invite, HostPort address, string folder, DeviceKey key, string name, CancellationToken cancellation)
    {
        using var authority = await AuthorityAsync(invite, address, cancellation);
        var signingRequest = SigningRequest.Make(folder, name);
        var body = new EnrolRequest(
            invite.Id, [.. invite.Secret], signingRequest, key.PublicKey.ToArray(), key.Sign(EnrolmentRequest.Statement(ClusterId.Parse(invite.Authority), invite.Id, signingRequest)), name, time.GetUtcNow());
        using var http = Client(address, peer => RejectServer(peer, invite) ?? CertificateRules.Reject(peer, authority));
        var answer = await SendAsync(
            address,
            async () =>
            {
                // Sent whole: the other side bounds what it reads by the length it is told.
                using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, ApiJson.Default.EnrolRequest));
                content.Headers.ContentType = new("application/json");
                using var response = await http.PostAsync(new Uri("efedllm/v1/enrol", UriKind.Relative), content, cancellation);
                return response.IsSuccessStatusCode
                    ? await response.Content.ReadFromJsonAsync(ApiJson.Default.EnrolAnswer, cancellation)
                    : throw new UserErrorException(await RefusalAsync(response, cancellation));
            },
            cancellation);
        Check(answer, authority, key.Device, address);
        NodeCertificate.Store(folder, answer.Certificate, authority.ExportCertificatePem());
        using var certificate = NodeCertificate.Load(folder);
        var joined = new JoinedCluster(invite.Authority, invite.Server, [.. invite.Addresses], [.. invite.Seeds], answer.Name, time.GetUtcNow());
        joined.Save(folder);
        return joined;
    }

    /// <summary>The authority's certificate, which is the one whose fingerprint the invite bears.</summary>
    private async Task<X509Certificate2> AuthorityAsync(InviteToken invite, HostPort address, CancellationToken cancellation)
    {
        using var http = Client(address, peer => RejectServer(peer, invite));
        var answer = await SendAsync(address, () => http.GetFromJsonAsync("efedllm/v1/authority", ApiJson.Default.AuthorityAnswer, cancellation), cancellation);
        X509Certificate2 authority;
        try
        {
            authority = X509Certificate2.CreateFromPem(answer.Certificate);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw NotUnderstood(address, error);
        }

        if (CertificateRules.Fingerprint(authority) == invite.Authority)
        {
            return authority;
        }

        authority.Dispose();
        throw new UserErrorException($"What answers at {address} is of another cluster than the invite: nothing was sent. Ask for another invite.");
    }

    private string? RejectServer(X509Certificate2? peer, InviteToken invite)
    {
        if (peer is null || CertificateRules.Fingerprint(peer) != invite.Server)
        {
            return "it is not the node that made the invite";
        }

        var now = time.GetLocalNow().DateTime;
        return now < peer.NotBefore || now > peer.NotAfter
            ? $"this machine's clock says {now:yyyy-MM-dd HH:mm}, and its certificate is valid from {peer.NotBefore:yyyy-MM-dd HH:mm} to {peer.NotAfter:yyyy-MM-dd HH:mm}; if the clock is wrong, set it"
            : null;
    }

    private static void Check(EnrolAnswer answer, X509Certificate2 authority, DeviceId device, HostPort address)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
            if (CertificateRules.Reject(certificate, authority) is not { } reason)
            {
                if (CertificateRules.DeviceOf(certificate) == device && answer.Name is { Length: > 0 and <= 64 })
                {
                    return;
                }

                reason = "it is another device's";
            }

            throw new UserErrorException($"{address} answers with a certificate that peers would refuse: {reason}.");
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw NotUnderstood(address, error);
        }
    }

    private static async Task<T> SendAsync<T>(HostPort address, Func<Task<T?>> send, CancellationToken cancellation)
        where T : class
    {
        try
        {
            return await send() ?? throw new JsonException("null");
        }
        catch (HttpRequestException error) when (error.InnerException is System.Security.Authentication.AuthenticationException { Message: var reason })
        {
            throw new UserErrorException($"What answers at {address} is not trusted, and nothing was sent to it: {reason}", ExitCodes.Failed, error);
        }
        catch (Exception error) when (error is HttpRequestException || (error is TaskCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new UserErrorException(
                $"Nobody enrols at {address} that this machine could reach: {error.Message} Is the gateway that made the invite running, and was it started with a --host that this machine can reach?", ExitCodes.NotReachable, error);
        }
        catch (Exception error) when (error is JsonException or NotSupportedException)
        {
            throw NotUnderstood(address, error);
        }
    }

    private static async Task<string> RefusalAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var error = await response.Content.ReadFromJsonAsync(Http.OpenAiJson.Default.ErrorResponse, cancellation);
        return error?.Error?.Message ?? $"The gateway answers {(int)response.StatusCode} {response.ReasonPhrase}.";
    }

    private static UserErrorException NotUnderstood(HostPort address, Exception error) =>
        new($"{address} answers something that this version does not understand: use the same version of efedllm there and here.", ExitCodes.Failed, error);

    private static HttpClient Client(HostPort address, Func<X509Certificate2?, string?> reject)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = ConnectLimit, UseProxy = false, AllowAutoRedirect = false, UseCookies = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, peer, _, _) => reject(peer as X509Certificate2) is { } reason
            ? throw new System.Security.Authentication.AuthenticationException($"{reason}.")
            : true;
        return new HttpClient(handler) { BaseAddress = new Uri($"https://{address}/"), Timeout = AnswerLimit, MaxResponseContentBufferSize = MostAnswerBytes };
    }
}
