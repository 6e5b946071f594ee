using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EFedLLM.Actors.Auditing;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Client;

/// <summary>Talks to a gateway's native HTTP interface. What the gateway sends is bounded like anything from outside.</summary>
internal sealed class GatewayHttpClient : IAnswerSource
{
    private const int MostLineCharacters = 8 << 20;
    private const int MostFactBytes = 64 << 20;

    private readonly HttpClient _http;
    private readonly Uri _gateway;

    /// <summary>Creates a client of one gateway.</summary>
    /// <param name="gateway">Its base address.</param>
    /// <param name="handler">Carries the requests; null is the network.</param>
    /// <param name="operatorToken">Shows that an operator asks, or null.</param>
    /// <param name="authorityFolder">Folder of the authority whose certificates are trusted beside the system's, or null for that of the cluster last started here.</param>
    public GatewayHttpClient(Uri gateway, HttpMessageHandler? handler = null, string? operatorToken = null, string? authorityFolder = null)
    {
        _gateway = gateway;
        _http = new HttpClient(handler ?? GatewayTrust.Handler(gateway, authorityFolder))
        {
            BaseAddress = gateway,
            // An answer may take as long as it takes: the caller's token ends it.
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = MostFactBytes,
        };
        if (operatorToken is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", operatorToken);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<GenerateEvent> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, "efedllm/v1/generate")
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request, ApiJson.Default.GenerateRequest)),
        };
        message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var response = await SendAsync(message, cancellation);
        var over = false;
        await using (var body = await response.Content.ReadAsStreamAsync(cancellation))
        {
            using var lines = new BoundedLines(body, MostLineCharacters);
            while (await ReadLineAsync(lines, cancellation) is { } line)
            {
                var next = Parse(line, ApiJson.Default.GenerateEvent);
                yield return next;
                over = next is FinishedEvent or FailedEvent;
                if (over)
                {
                    yield break;
                }
            }
        }

        if (!over)
        {
            throw new UserErrorException($"The gateway at {_gateway} ended the answer before it was complete.");
        }
    }

    /// <summary>The cluster as the gateway sees it.</summary>
    public Task<ClusterFacts> ReadClusterAsync(CancellationToken cancellation) => GetAsync("efedllm/v1/cluster", ApiJson.Default.ClusterFacts, cancellation);

    /// <summary>What the gateway had others compute.</summary>
    public Task<WorkFacts> ReadWorkAsync(CancellationToken cancellation) => GetAsync("efedllm/v1/work", ApiJson.Default.WorkFacts, cancellation);

    /// <summary>Who is to hold what, and who would if the devices were others.</summary>
    public Task<PlanFacts> ReadPlanAsync(PlanQuestion question, CancellationToken cancellation) => GetAsync($"efedllm/v1/plan{PlanQuery.Write(question)}", ApiJson.Default.PlanFacts, cancellation);

    /// <summary>Every device of the ledger.</summary>
    public Task<LedgerFacts> ReadLedgerAsync(CancellationToken cancellation) => GetAsync("efedllm/v1/ledger", ApiJson.Default.LedgerFacts, cancellation);

    /// <summary>One device of the ledger.</summary>
    public Task<LedgerDevice> ReadLedgerAsync(string device, CancellationToken cancellation) =>
        GetAsync($"efedllm/v1/ledger/{Uri.EscapeDataString(device)}", ApiJson.Default.LedgerDevice, cancellation);

    /// <summary>Appeals against a verdict.</summary>
    public Task<AppealResult> AppealAsync(string device, AppealRequest request, CancellationToken cancellation) =>
        AskAsync(Post($"efedllm/v1/ledger/{Uri.EscapeDataString(device)}/appeal", request, ApiJson.Default.AppealRequest), ApiJson.Default.AppealResult, cancellation);

    /// <summary>What proves a verdict, in its stored form.</summary>
    /// <param name="hash">Its content hash, or the first digits of it.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">The gateway does not have it, or sends more than a proof can be.</exception>
    public async Task<byte[]> ReadProofAsync(string hash, CancellationToken cancellation)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, $"efedllm/v1/proofs/{Uri.EscapeDataString(hash)}");
        using var response = await SendAsync(message, cancellation);
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(cancellation);
            using var bytes = new MemoryStream();
            var buffer = new byte[81920];
            int count;
            while ((count = await body.ReadAsync(buffer, cancellation)) > 0)
            {
                if (bytes.Length + count > WorkProof.MostBytes)
                {
                    throw new UserErrorException($"The gateway at {_gateway} sends more than the {WorkProof.MostBytes} bytes that a proof may have.");
                }

                bytes.Write(buffer, 0, count);
            }

            return bytes.ToArray();
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw NotReachable(error);
        }
    }

    /// <summary>Asks a device to leave.</summary>
    public Task<LeaveFacts> LeaveAsync(string device, CancellationToken cancellation) =>
        AskAsync(new HttpRequestMessage(HttpMethod.Post, $"efedllm/v1/devices/{Uri.EscapeDataString(device)}/leave"), ApiJson.Default.LeaveFacts, cancellation);

    /// <summary>Makes an invite.</summary>
    public Task<InviteResult> InviteAsync(InviteRequest request, CancellationToken cancellation) =>
        AskAsync(Post("efedllm/v1/invites", request, ApiJson.Default.InviteRequest), ApiJson.Default.InviteResult, cancellation);

    /// <summary>Every invite.</summary>
    public Task<IReadOnlyList<InviteFacts>> ReadInvitesAsync(CancellationToken cancellation) => GetAsync("efedllm/v1/invites", ApiJson.Default.IReadOnlyListInviteFacts, cancellation);

    /// <summary>Takes an invite back.</summary>
    public Task<InviteFacts> RevokeInviteAsync(string id, CancellationToken cancellation) =>
        AskAsync(new HttpRequestMessage(HttpMethod.Delete, $"efedllm/v1/invites/{Uri.EscapeDataString(id)}"), ApiJson.Default.InviteFacts, cancellation);

    /// <summary>Keeps a device out.</summary>
    public Task<EvictResult> EvictAsync(EvictRequest request, CancellationToken cancellation) =>
        AskAsync(Post("efedllm/v1/cluster/evict", request, ApiJson.Default.EvictRequest), ApiJson.Default.EvictResult, cancellation);

    /// <summary>Lets a device in again.</summary>
    public Task<EvictResult> ReadmitAsync(EvictRequest request, CancellationToken cancellation) =>
        AskAsync(Post("efedllm/v1/cluster/readmit", request, ApiJson.Default.EvictRequest), ApiJson.Default.EvictResult, cancellation);

    /// <summary>Every device that is kept out.</summary>
    public Task<IReadOnlyList<EvictedFacts>> ReadEvictedAsync(CancellationToken cancellation) =>
        GetAsync("efedllm/v1/cluster/evicted", ApiJson.Default.IReadOnlyListEvictedFacts, cancellation);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private static HttpRequestMessage Post<T>(string path, T body, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
    }

    private Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation) => AskAsync(new HttpRequestMessage(HttpMethod.Get, path), type, cancellation);

    private async Task<T> AskAsync<T>(HttpRequestMessage question, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        using var message = question;
        using var response = await SendAsync(message, cancellation);
        try
        {
            return Parse(await response.Content.ReadAsStringAsync(cancellation), type);
        }
        catch (HttpRequestException error)
        {
            throw NotReachable(error);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage message, CancellationToken cancellation)
    {
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException error)
        {
            throw NotReachable(error);
        }
        catch (TaskCanceledException error) when (!cancellation.IsCancellationRequested)
        {
            throw NotReachable(error);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await RefusalAsync(response, cancellation);
        }
    }

    private async Task<UserErrorException> RefusalAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var text = await response.Content.ReadAsStringAsync(cancellation);
        try
        {
            using var body = JsonDocument.Parse(text);
            if (body.RootElement.ValueKind == JsonValueKind.Object
                && body.RootElement.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object
                && error.TryGetProperty("message", out var message) && message.ValueKind == JsonValueKind.String)
            {
                return new UserErrorException(message.GetString()!);
            }
        }
        catch (JsonException)
        {
            // Some other server answers there: its status says enough.
        }

        return new UserErrorException(response.StatusCode == HttpStatusCode.NotFound
            ? $"What answers at {_gateway} is no EFedLLM gateway: it does not know {response.RequestMessage?.RequestUri?.AbsolutePath}."
            : $"The gateway at {_gateway} answers {(int)response.StatusCode} {response.ReasonPhrase}.");
    }

    private async Task<string?> ReadLineAsync(BoundedLines lines, CancellationToken cancellation)
    {
        try
        {
            return await lines.ReadAsync(cancellation);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw new UserErrorException($"The connection to the gateway at {_gateway} broke during the answer.", ExitCodes.Failed, error);
        }
    }

    private T Parse<T>(string json, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("null");
        }
        catch (Exception error) when (error is JsonException or NotSupportedException)
        {
            throw new UserErrorException($"The gateway at {_gateway} answers something that this version does not understand.", ExitCodes.Failed, error);
        }
    }

    private UserErrorException NotReachable(Exception error) => new(
        error is HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.ConnectionRefused } }
            ? $"No gateway answers at {_gateway}. Start a cluster with \"efedllm up\", or name a gateway with --gateway."
            : $"The gateway at {_gateway} cannot be reached: {error.Message}",
        ExitCodes.NotReachable,
        error);
}
