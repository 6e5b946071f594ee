using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
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
    public GatewayHttpClient(Uri gateway, HttpMessageHandler? handler = null)
    {
        _gateway = gateway;
        _http = new HttpClient(handler ?? new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) })
        {
            BaseAddress = gateway,
            // An answer may take as long as it takes: the caller's token ends it.
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = MostFactBytes,
        };
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

    /// <summary>Who is to hold what, and who would if the devices were others.</summary>
    public Task<PlanFacts> ReadPlanAsync(PlanQuestion question, CancellationToken cancellation) => GetAsync($"efedllm/v1/plan{PlanQuery.Write(question)}", ApiJson.Default.PlanFacts, cancellation);

    /// <summary>Every device of the ledger.</summary>
    public Task<LedgerFacts> ReadLedgerAsync(CancellationToken cancellation) => GetAsync("efedllm/v1/ledger", ApiJson.Default.LedgerFacts, cancellation);

    /// <summary>One device of the ledger.</summary>
    public Task<LedgerDevice> ReadLedgerAsync(string device, CancellationToken cancellation) =>
        GetAsync($"efedllm/v1/ledger/{Uri.EscapeDataString(device)}", ApiJson.Default.LedgerDevice, cancellation);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, path);
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
