using System.Globalization;

namespace EFedLLM.Node.CommandLine;

/// <summary>An address as people write it: <c>host:port</c>, an IPv6 host in brackets.</summary>
/// <param name="Host">Host name or address, without brackets.</param>
/// <param name="Port">TCP port.</param>
internal sealed record HostPort(string Host, int Port)
{
    /// <summary>Reads an address.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static HostPort Parse(string text, string option)
    {
        var colon = text.LastIndexOf(':');
        var host = colon > 0 ? text[..colon] : "";
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
        }
        else if (host.Contains(':', StringComparison.Ordinal))
        {
            host = "";
        }

        return Uri.CheckHostName(host) is not UriHostNameType.Unknown
            && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= ushort.MaxValue
            ? new HostPort(host, port)
            : throw new UserErrorException($"{option} must be host:port, for example 127.0.0.1:4053; it is \"{text}\".", ExitCodes.Usage);
    }

    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal)
        ? string.Create(CultureInfo.InvariantCulture, $"[{Host}]:{Port}")
        : string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");
}
