using System.Text.Json;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.Http;

/// <summary>Every error leaves in OpenAI's shape: <c>{"error": {"message", "type", "param", "code"}}</c>.</summary>
internal static class HttpErrors
{
    public static ErrorResponse Body(ApiException error) => new(new ErrorBody(error.Message, error.Type, error.Param, error.Code));

    public static ApiException Of(GenerationFailed failed) => failed.Error switch
    {
        GenerationError.Invalid => new(StatusCodes.Status400BadRequest, failed.Message),
        GenerationError.TooLong => new(StatusCodes.Status400BadRequest, failed.Message, code: "context_length_exceeded"),
        GenerationError.UnknownModel => new(StatusCodes.Status404NotFound, failed.Message, param: "model", code: "model_not_found"),
        GenerationError.Overloaded => new(StatusCodes.Status429TooManyRequests, failed.Message, "rate_limit_error", code: "overloaded"),
        GenerationError.NoRoute => new(StatusCodes.Status503ServiceUnavailable, failed.Message, "server_error", code: "no_route"),
        GenerationError.HopLost => new(StatusCodes.Status503ServiceUnavailable, failed.Message, "server_error", code: "hop_lost"),
        GenerationError.Unverified => new(StatusCodes.Status503ServiceUnavailable, failed.Message, "server_error", code: "not_verified"),
        _ => new(StatusCodes.Status500InternalServerError, failed.Message, "server_error"),
    };

    private static string NotJson(JsonException error) => error.Path is null or "$"
        ? "The body is not valid JSON."
        : $"The body does not fit at {(error.Path.Length > 64 ? error.Path[..64] + "…" : error.Path)}.";

    /// <summary>Turns what a request threw into an answer; cancelled requests have nobody to answer.</summary>
    public static async Task HandleAsync(HttpContext http, RequestDelegate next, ILogger log)
    {
        try
        {
            await next(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client went away; its session is cancelled with the enumeration.
        }
        catch (Exception error)
        {
            var answer = error switch
            {
                ApiException api => api,
                BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } =>
                    new ApiException(StatusCodes.Status413PayloadTooLarge, "The request body is too large.", code: "body_too_large"),
                BadHttpRequestException bad => new ApiException(bad.StatusCode, bad.Message),
                JsonException json => new ApiException(StatusCodes.Status400BadRequest, NotJson(json)),
                _ => new ApiException(StatusCodes.Status500InternalServerError, "Something unexpected happened; the node's log has more.", "server_error"),
            };
            if (answer.Status == StatusCodes.Status500InternalServerError)
            {
                log.LogError(error, "{Method} {Path} failed", http.Request.Method, http.Request.Path);
            }

            if (http.Response.HasStarted)
            {
                http.Abort();
                return;
            }

            http.Response.Clear();
            http.Response.StatusCode = answer.Status;
            if (answer.Status == StatusCodes.Status429TooManyRequests)
            {
                http.Response.Headers.RetryAfter = answer.RetryAfter;
            }

            await http.Response.WriteAsJsonAsync(Body(answer), OpenAiJson.Default.ErrorResponse, cancellationToken: http.RequestAborted);
        }
    }
}
