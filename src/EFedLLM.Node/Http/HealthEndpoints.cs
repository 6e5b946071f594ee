namespace EFedLLM.Node.Http;

/// <summary>For whoever watches over the process.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder app, IGatewayBackend backend)
    {
        app.MapGet("/health/live", http => http.Response.WriteAsync("ok\n"));
        app.MapGet("/health/ready", http =>
        {
            if (backend.WhyNotReady is not { } reason)
            {
                return http.Response.WriteAsync("ok\n");
            }

            http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return http.Response.WriteAsync($"{reason}\n");
        });
    }
}
