using System.Security.Cryptography.X509Certificates;
using System.Text;
using Akka.Event;
using Akka.Remote.Transport.DotNetty;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Identity;

/// <summary>What a node shows its peers, and what it demands of them: a certificate from the same authority, on either side of a connection.</summary>
public sealed class NodeCertificate : IDisposable
{
    /// <summary>The file with a node's certificate.</summary>
    public const string CertificateFile = "node.crt";

    /// <summary>The file with a node's key.</summary>
    public const string KeyFile = "node.key";

    private readonly X509Certificate2 _authority;
    private readonly Func<X509Certificate2, string?>? _revoked;

    private NodeCertificate(X509Certificate2 certificate, X509Certificate2 authority, Func<X509Certificate2, string?>? revoked)
        => (Certificate, _authority, _revoked) = (certificate, authority, revoked);

    /// <summary>The node's certificate with its private key.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>The SHA-256 of the authority's public key, in lower-case hexadecimal.</summary>
    public string AuthorityFingerprint => CertificateRules.Fingerprint(_authority);

    /// <summary>The SHA-256 of this node's public key, in lower-case hexadecimal.</summary>
    public string Fingerprint => CertificateRules.Fingerprint(Certificate);

    /// <summary>The device whose certificate it is, or null where it names none.</summary>
    public DeviceId? Device => CertificateRules.DeviceOf(Certificate);

    /// <summary>Whose it says that the node is, or null where it does not say.</summary>
    public string? Owner => CertificateRules.OwnerOf(Certificate);

    /// <summary>What the node shows others of it to prove whose its device is, DER; empty where it names no device.</summary>
    public ReadOnlyMemory<byte> Shown => Device is not null && Certificate.RawData is { Length: <= CertificateRules.MostBytes } bytes ? bytes : default;

    /// <summary>The authority's certificate.</summary>
    internal X509Certificate2 Authority => _authority;

    /// <summary>Reads what <see cref="CertificateAuthority.Issue"/> or <see cref="Store"/> wrote.</summary>
    /// <param name="folder">The node's folder.</param>
    /// <exception cref="InvalidDataException">A file is missing or unusable, or the certificate is not from the authority beside it, or expired.</exception>
    public static NodeCertificate Load(string folder) => Load(folder, null);

    /// <summary>The same, refusing peers whose certificate was revoked.</summary>
    /// <param name="folder">The node's folder.</param>
    /// <param name="revoked">Opens what says why a certificate of this authority is no longer accepted, or null.</param>
    /// <exception cref="InvalidDataException">A file is missing or unusable, or the certificate is not from the authority beside it, or expired.</exception>
    internal static NodeCertificate Load(string folder, Func<X509Certificate2, Func<X509Certificate2, string?>>? revoked)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var authority = PemFiles.Load(Path.Combine(folder, CertificateAuthority.CertificateFile));
        var own = PemFiles.LoadWithKey(Path.Combine(folder, CertificateFile), Path.Combine(folder, KeyFile));
        if (CertificateRules.Reject(own, authority) is { } reason)
        {
            own.Dispose();
            authority.Dispose();
            throw new InvalidDataException($"The certificate in {folder} would be refused by every peer: {reason}. 'efedllm cert' makes another.");
        }

        return new NodeCertificate(own, authority, revoked?.Invoke(authority));
    }

    /// <summary>Puts a certificate beside the key that is in a folder already; whole or not at all.</summary>
    /// <param name="folder">The node's folder.</param>
    /// <param name="certificate">The node's certificate, PEM.</param>
    /// <param name="authority">The authority's certificate, PEM.</param>
    public static void Store(string folder, string certificate, string authority)
    {
        // The node's own is written last: with it, the folder is complete.
        SecretFile.Replace(Path.Combine(folder, CertificateAuthority.CertificateFile), Encoding.ASCII.GetBytes(authority));
        SecretFile.Replace(Path.Combine(folder, CertificateFile), Encoding.ASCII.GetBytes(certificate));
    }

    /// <summary>Why a peer's certificate is refused, or null when it is accepted.</summary>
    /// <param name="peer">The certificate, or null when the peer showed none.</param>
    public string? Reject(X509Certificate2? peer) => CertificateRules.Reject(peer, _authority) ?? _revoked?.Invoke(peer!);

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
}
