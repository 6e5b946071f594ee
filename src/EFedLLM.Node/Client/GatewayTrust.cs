using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Identity;

namespace EFedLLM.Node.Client;

/// <summary>Whom a command trusts to be its gateway.</summary>
internal static class GatewayTrust
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5);

    /// <summary>Carries requests to gateways that the system trusts, and to those with a certificate of an authority for the host that was asked.</summary>
    /// <param name="authorityFolder">The authority's folder, or null.</param>
    public static SocketsHttpHandler Handler(string? authorityFolder)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = ConnectLimit };
        if (authorityFolder is not null)
        {
            var authority = CertificateRules.LoadAuthority(authorityFolder);
            handler.SslOptions.RemoteCertificateValidationCallback = (_, peer, _, errors) => errors == System.Net.Security.SslPolicyErrors.None
                || (errors == System.Net.Security.SslPolicyErrors.RemoteCertificateChainErrors && CertificateRules.Reject(peer as X509Certificate2, authority) is null);
        }

        return handler;
    }
}
