using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Http;

/// <summary>The native interface: generations as a stream of JSON lines, and the facts behind <c>efedllm cluster</c> and <c>efedllm ledger</c>.</summary>
internal static class NativeEndpoints
{
    private static readonly ReadOnlyMemory<byte> NewLine = "\n"u8.ToArray();

    public static void MapNative(this IEndpointRouteBuilder app, IGatewayBackend backend, IClusterApi cluster, HttpApiSettings settings)
    {
        app.MapPost("/efedllm/v1/generate", http => GenerateAsync(http, backend, settings));
        app.MapGet("/efedllm/v1/cluster", async (HttpContext http) =>
            await http.Response.WriteAsJsonAsync(await cluster.ReadClusterAsync(http.RequestAborted), ApiJson.Default.ClusterFacts));
        app.MapGet("/efedllm/v1/plan", async (HttpContext http) =>
            await http.Response.WriteAsJsonAsync(await cluster.ReadPlanAsync(PlanQuery.Read(http.Request.Query), http.RequestAborted), ApiJson.Default.PlanFacts));
        app.MapGet("/efedllm/v1/ledger", async (HttpContext http) =>
        {
            var facts = await AnswerOfLedgerAsync(cluster.ReadLedgerAsync(http.RequestAborted));
            await http.Response.WriteAsJsonAsync(facts, ApiJson.Default.LedgerFacts);
        });
        app.MapGet("/efedllm/v1/ledger/{device}", async (HttpContext http, string device) =>
        {
            if (device.Length > 32 || !device.All(char.IsAsciiHexDigit))
            {
                throw ApiException.Invalid("device", "A device id is up to 32 hexadecimal digits.");
            }

            var facts = await AnswerOfLedgerAsync(cluster.ReadLedgerAsync(device.ToLowerInvariant(), http.RequestAborted))
                ?? throw new ApiException(StatusCodes.Status404NotFound, $"The ledger knows no device {device}.", param: "device", code: "device_not_found");
            await http.Response.WriteAsJsonAsync(facts, ApiJson.Default.LedgerDevice);
        });
    }

    private static async Task GenerateAsync(HttpContext http, IGatewayBackend backend, HttpApiSettings settings)
    {
        var cancellation = http.RequestAborted;
        var request = await JsonSerializer.DeserializeAsync(http.Request.Body, ApiJson.Default.GenerateRequest, cancellation)
            ?? throw new ApiException(StatusCodes.Status400BadRequest, "The body must be a JSON object.");
        var prompt = NativeRequest.ToPrompt(request, settings) with { Tenant = Tenant.Of(http.Request.Headers) };
        await using var events = backend.GenerateAsync(prompt, cancellation).GetAsyncEnumerator(cancellation);
        int? layers = null;
        while (await events.MoveNextAsync())
        {
            switch (events.Current)
            {
                case GenerationFailed failed when !http.Response.HasStarted:
                    throw HttpErrors.Of(failed);
                case GenerationStarted started:
                    layers = backend.LayersOf(started.Model);
                    http.Response.ContentType = GenerateRequest.AnswerType;
                    http.Response.Headers.CacheControl = "no-cache";
                    break;
            }

            JsonSerializer.Serialize(new Utf8JsonWriter(http.Response.BodyWriter), EventTranslator.Translate(events.Current, layers), ApiJson.Default.GenerateEvent);
            await http.Response.BodyWriter.WriteAsync(NewLine, cancellation);
        }
    }

    private static async Task<T> AnswerOfLedgerAsync<T>(Task<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (TimeoutException)
        {
            throw new ApiException(StatusCodes.Status503ServiceUnavailable, "The ledger does not answer at present; ask again in a moment.", "server_error", code: "ledger_unavailable");
        }
    }
}
