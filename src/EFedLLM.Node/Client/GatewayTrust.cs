using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Identity;

namespace EFedLLM.Node.Client;

/// <summary>Whom a command trusts to be its gateway.</summary>
internal static class GatewayTrust
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5);

    /// <summary>Carries requests to gateways that the system trusts, and to those with a certificate of an authority for the host that was asked.</summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="authorityFolder">Folder with the authority's certificate; null for that of the cluster last started here, where it is known.</param>
    public static SocketsHttpHandler Handler(Uri gateway, string? authorityFolder)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = ConnectLimit };
        if (gateway.Scheme != Uri.UriSchemeHttps)
        {
            return handler;
        }

        var folder = authorityFolder ?? Known(UserFolder.LastCluster()?.Trust);
        if (folder is not null)
        {
            var authority = CertificateRules.LoadAuthority(folder);
            handler.SslOptions.RemoteCertificateValidationCallback = (_, peer, _, errors) => errors == SslPolicyErrors.None
                || (errors == SslPolicyErrors.RemoteCertificateChainErrors && CertificateRules.Reject(peer as X509Certificate2, authority) is null);
        }

        return handler;
    }

    private static string? Known(string? folder) => folder is not null && File.Exists(Path.Combine(folder, CertificateAuthority.CertificateFile)) ? folder : null;
}
