using System.Security.Cryptography;
using System.Text.Json;

namespace EFedLLM.Node.Http;

/// <summary>The OpenAI-compatible endpoints.</summary>
internal static class OpenAiEndpoints
{
    private static readonly JsonDocumentOptions BodyOptions = new() { MaxDepth = 32 };

    public static void MapOpenAi(this IEndpointRouteBuilder app, IGatewayBackend backend, HttpApiSettings settings, TimeProvider clock)
    {
        var startedAt = clock.GetUtcNow().ToUnixTimeSeconds();
        ModelEntry Entry(string name) => new(name, "model", startedAt, "efedllm");

        app.MapGet("/v1/models", (HttpContext http) => http.Response.WriteAsJsonAsync(
            new ModelList("list", [.. backend.Models.Select(model => Entry(model.Name))]), OpenAiJson.Default.ModelList));
        app.MapGet("/v1/models/{*name}", (HttpContext http, string name) => backend.Models.Any(model => model.Name == name)
            ? http.Response.WriteAsJsonAsync(Entry(name), OpenAiJson.Default.ModelEntry)
            : throw new ApiException(StatusCodes.Status404NotFound, $"The model '{Shown(name)}' does not exist here.", param: "model", code: "model_not_found"));
        app.MapPost("/v1/chat/completions", http => CompleteAsync(http, isChat: true));
        app.MapPost("/v1/completions", http => CompleteAsync(http, isChat: false));
        app.MapPost("/v1/embeddings", EmbedAsync);

        async Task EmbedAsync(HttpContext http)
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body, BodyOptions, http.RequestAborted);
            await new EmbeddingsWriter(backend, EmbeddingsRequest.Read(body.RootElement)).WriteAsync(http, http.RequestAborted);
        }

        async Task CompleteAsync(HttpContext http, bool isChat)
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body, BodyOptions, http.RequestAborted);
            var randomSeed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
            var request = CompletionRequest.Read(body.RootElement, isChat, settings.DefaultMaxTokens, settings.MaxTokens, randomSeed);
            request = request with { Prompt = request.Prompt with { Verified = CompletionRequest.IsVerified(http.Request.Headers), Tenant = Tenant.Of(http.Request.Headers) } };
            await new CompletionWriter(backend, request, clock).WriteAsync(http, http.RequestAborted);
        }
    }

    private static string Shown(string name) => name.Length > 64 ? name[..64] + "…" : name;
}
