using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Akka.Event;
using Akka.Remote.Transport.DotNetty;

namespace EFedLLM.Actors.Identity;

/// <summary>What a node shows its peers, and what it demands of them: a certificate from the same authority, on either side of a connection.</summary>
public sealed class NodeCertificate : IDisposable
{
    /// <summary>The file with a node's certificate.</summary>
    public const string CertificateFile = "node.crt";

    /// <summary>The file with a node's key.</summary>
    public const string KeyFile = "node.key";

    internal const string ServerUse = "1.3.6.1.5.5.7.3.1";
    internal const string ClientUse = "1.3.6.1.5.5.7.3.2";

    private readonly X509Certificate2 _authority;
    private readonly byte[] _authorityKey;

    private NodeCertificate(X509Certificate2 certificate, X509Certificate2 authority)
    {
        Certificate = certificate;
        _authority = authority;
        _authorityKey = KeyHash(authority);
    }

    /// <summary>The node's certificate with its private key.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>The SHA-256 of the authority's public key, in lower-case hexadecimal.</summary>
    public string AuthorityFingerprint => Convert.ToHexStringLower(_authorityKey);

    /// <summary>Reads what <see cref="CertificateAuthority.Issue"/> wrote.</summary>
    /// <param name="folder">The node's folder.</param>
    /// <exception cref="InvalidDataException">A file is missing or unusable, or the certificate is not from the authority beside it, or expired.</exception>
    public static NodeCertificate Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var authority = PemFiles.Load(Path.Combine(folder, CertificateAuthority.CertificateFile));
        var node = new NodeCertificate(PemFiles.LoadWithKey(Path.Combine(folder, CertificateFile), Path.Combine(folder, KeyFile)), authority);
        if (node.Reject(node.Certificate) is { } reason)
        {
            node.Dispose();
            throw new InvalidDataException($"The certificate in {folder} would be refused by every peer: {reason}. 'efedllm cert' makes another.");
        }

        return node;
    }

    /// <summary>Why a peer's certificate is refused, or null when it is accepted.</summary>
    /// <param name="peer">The certificate, or null when the peer showed none.</param>
    public string? Reject(X509Certificate2? peer)
    {
        if (peer is null)
        {
            return "no certificate was shown";
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerUse));
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientUse));
        if (!chain.Build(peer))
        {
            return string.Join("; ", chain.ChainStatus.Select(status => status.StatusInformation.Trim()));
        }

        // The root is compared by its key, not by what it says of itself.
        return CryptographicOperations.FixedTimeEquals(KeyHash(chain.ChainElements[^1].Certificate), _authorityKey)
            ? null
            : "it is from another authority";
    }

    /// <summary>The setting of Akka's transport: mutual TLS with this certificate, and peers judged by <see cref="Reject"/> alone.</summary>
    public DotNettySslSetup TransportSetup() => new(
        Certificate,
        suppressValidation: false,
        requireMutualAuthentication: true,
        customValidator: (peer, _, name, _, log) =>
        {
            if (Reject(peer) is not { } reason)
            {
                return true;
            }

            log.Warning("Refused a TLS connection with {0}: {1}.", name, reason);
            return false;
        });

    /// <inheritdoc/>
    public void Dispose()
    {
        Certificate.Dispose();
        _authority.Dispose();
    }

    internal static string FingerprintOf(X509Certificate2 certificate) => Convert.ToHexStringLower(KeyHash(certificate));

    private static byte[] KeyHash(X509Certificate2 certificate) => SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo());
}
