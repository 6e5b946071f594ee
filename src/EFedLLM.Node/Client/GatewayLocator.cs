using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Client;

/// <summary>Finds the gateway that a command talks to.</summary>
internal static class GatewayLocator
{
    /// <summary>The environment variable that names a gateway.</summary>
    public const string Variable = "EFEDLLM_GATEWAY";

    /// <summary>Where a gateway listens unless told otherwise.</summary>
    public const int DefaultPort = 7080;

    /// <summary>The named gateway, else the one of <see cref="Variable"/>, else that of the cluster last started here, else the default address.</summary>
    /// <exception cref="UserErrorException">What is named is no http address.</exception>
    public static Uri Find(string? named) => Choose(named, Environment.GetEnvironmentVariable(Variable), UserFolder.LastCluster()?.Gateway);

    /// <summary>As <see cref="Find"/>, from given values.</summary>
    internal static Uri Choose(string? named, string? variable, string? last)
    {
        if (!string.IsNullOrWhiteSpace(named))
        {
            return Parse(named) ?? throw new UserErrorException($"--gateway must be an address like http://127.0.0.1:{DefaultPort}; it is \"{named}\".", ExitCodes.Usage);
        }

        if (!string.IsNullOrWhiteSpace(variable))
        {
            return Parse(variable) ?? throw new UserErrorException($"{Variable} must be an address like http://127.0.0.1:{DefaultPort}; it is \"{variable}\".", ExitCodes.Usage);
        }

        return (last is null ? null : Parse(last)) ?? new Uri($"http://127.0.0.1:{DefaultPort}/");
    }

    private static Uri? Parse(string text)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : $"http://{text}";
        full = full.TrimEnd('/');
        // People paste the OpenAI base address as often as the gateway's own.
        full = full.EndsWith("/v1", StringComparison.Ordinal) ? full[..^"/v1".Length] : full;
        return Uri.TryCreate($"{full}/", UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps) ? uri : null;
    }
}
