using System.Net;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Http;

/// <summary>Lets a device leave the cluster; for whoever sits at the gateway's machine, because the interface knows nobody.</summary>
internal static class LeaveEndpoint
{
    /// <summary>Maps it.</summary>
    public static void MapLeave(this IEndpointRouteBuilder app, IClusterApi cluster) =>
        app.MapPost("/efedllm/v1/devices/{device}/leave", async (HttpContext http, string device) =>
        {
            if (!IsLocal(http.Connection.RemoteIpAddress))
            {
                throw new ApiException(
                    StatusCodes.Status403Forbidden, "A device is asked to leave from the gateway's own machine only; on its own machine Ctrl-C or SIGTERM does the same.", code: "not_local");
            }

            if (device.Length != 32 || !device.All(char.IsAsciiHexDigit))
            {
                throw ApiException.Invalid("device", "A device id has 32 hexadecimal digits.");
            }

            try
            {
                var facts = await cluster.LeaveAsync(device.ToLowerInvariant(), http.RequestAborted)
                    ?? throw new ApiException(StatusCodes.Status404NotFound, $"The cluster has no device {device}.", param: "device", code: "device_not_found");
                await http.Response.WriteAsJsonAsync(facts, ApiJson.Default.LeaveFacts);
            }
            catch (TimeoutException)
            {
                throw new ApiException(StatusCodes.Status503ServiceUnavailable, "The device does not answer.", "server_error", code: "device_unavailable");
            }
            catch (InvalidOperationException refused)
            {
                throw new ApiException(StatusCodes.Status409Conflict, refused.Message, code: "refused");
            }
        });

    /// <summary>Whether an address is this machine's own.</summary>
    internal static bool IsLocal(IPAddress? address) => address is not null && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);
}
