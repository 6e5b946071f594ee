using System.Net;
using Akka.Configuration;

namespace EFedLLM.Actors.Configuration;

/// <summary>What a node may listen on.</summary>
public static class BindRules
{
    /// <summary>Whether <paramref name="host"/> can be reached from this machine only.</summary>
    public static bool IsLoopback(string host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
    }

    /// <summary>Refuses to be reachable from other machines without TLS: whoever reaches the port is a member.</summary>
    /// <param name="host">The host to listen on.</param>
    /// <param name="tls">Whether mutual TLS is configured.</param>
    /// <exception cref="ConfigurationException">The host is not loopback and there is no TLS.</exception>
    public static void Check(string host, bool tls)
    {
        if (!tls && !IsLoopback(host))
        {
            throw new ConfigurationException(
                $"Listening on '{host}' lets other machines in, which needs TLS: make certificates with 'efedllm cert' and name their folder, or listen on 127.0.0.1.");
        }
    }
}
