namespace EFedLLM.Node.Http;

/// <summary>A request that is answered with an error of OpenAI's shape.</summary>
internal sealed class ApiException(int status, string message, string type = "invalid_request_error", string? param = null, string? code = null)
    : Exception(message)
{
    /// <summary>HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>OpenAI's error type, for example <c>invalid_request_error</c>.</summary>
    public string Type { get; } = type;

    /// <summary>The request field at fault, or null.</summary>
    public string? Param { get; } = param;

    /// <summary>OpenAI's error code, for example <c>model_not_found</c>, or null.</summary>
    public string? Code { get; } = code;

    /// <summary>Seconds after which a request that is refused with 429 may be sent again.</summary>
    public string RetryAfter { get; init; } = "1";

    /// <summary>A field whose value makes no sense.</summary>
    public static ApiException Invalid(string param, string message) => new(StatusCodes.Status400BadRequest, message, param: param);

    /// <summary>A field that this server cannot honour: refusing is better than ignoring.</summary>
    public static ApiException Unsupported(string param, string message) =>
        new(StatusCodes.Status400BadRequest, message, param: param, code: "unsupported_parameter");
}
