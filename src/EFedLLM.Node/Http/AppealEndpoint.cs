using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Http;

/// <summary>Appeals against verdicts of the ledger, by the cluster's operator alone.</summary>
internal static class AppealEndpoint
{
    private const int DeviceDigits = 32;

    /// <summary>Maps it.</summary>
    public static void MapAppeal(this IEndpointRouteBuilder app, IAppealApi appeals, IMembershipApi membership) =>
        app.MapPost("/efedllm/v1/ledger/{device}/appeal", async (HttpContext http, string device) =>
        {
            MembershipEndpoints.Authorise(http, membership);
            if (!IsHex(device, DeviceDigits))
            {
                throw ApiException.Invalid("device", $"A device id is up to {DeviceDigits} hexadecimal digits.");
            }

            var request = await JsonSerializer.DeserializeAsync(http.Request.Body, ApiJson.Default.AppealRequest, http.RequestAborted)
                ?? throw new ApiException(StatusCodes.Status400BadRequest, "The body must be a JSON object.");
            if (!IsHex(request.Verdict, VerdictId.Digits))
            {
                throw ApiException.Invalid("verdict", $"A verdict's id is up to {VerdictId.Digits} hexadecimal digits.");
            }

            var reason = request.Reason?.Trim() ?? "";
            if ((request.Force && reason.Length == 0) || reason.Length > ProtocolLimits.ReasonCharacters || reason.Any(char.IsControl))
            {
                throw ApiException.Invalid("reason", $"Whoever forces a verdict to be taken back says why, in up to {ProtocolLimits.ReasonCharacters} characters.");
            }

            try
            {
                var result = await appeals.AppealAsync(
                    device.ToLowerInvariant(), request with { Verdict = request.Verdict.ToLowerInvariant(), Reason = reason }, http.RequestAborted);
                await http.Response.WriteAsJsonAsync(result, ApiJson.Default.AppealResult);
            }
            catch (TimeoutException)
            {
                throw new ApiException(StatusCodes.Status503ServiceUnavailable, "The ledger does not answer at present; ask again in a moment.", "server_error", code: "ledger_unavailable");
            }
        });

    private static bool IsHex(string? text, int most) => text is { Length: > 0 } && text.Length <= most && text.All(char.IsAsciiHexDigit);
}
