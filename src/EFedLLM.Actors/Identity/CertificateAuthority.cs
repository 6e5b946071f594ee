using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Identity;

/// <summary>The authority of one cluster: who has a certificate from it is a member. ECDSA over P-256; files are PEM.</summary>
public sealed class CertificateAuthority : IDisposable
{
    /// <summary>The file with the authority's certificate, in its own folder and in every node's.</summary>
    public const string CertificateFile = "ca.crt";

    /// <summary>The file with the authority's key. It belongs on no node but the one that invites others.</summary>
    public const string KeyFile = "ca.key";

    private static readonly TimeSpan Allowance = TimeSpan.FromHours(1);

    private readonly X509Certificate2 _certificate;
    private readonly TimeProvider _time;

    private CertificateAuthority(X509Certificate2 certificate, TimeProvider time) => (_certificate, _time) = (certificate, time);

    /// <summary>The SHA-256 of the authority's public key, in lower-case hexadecimal: compare it over another channel before trusting a certificate that was sent.</summary>
    public string Fingerprint => CertificateRules.Fingerprint(_certificate);

    /// <summary>The authority's certificate, PEM.</summary>
    public string CertificatePem => _certificate.ExportCertificatePem();

    /// <summary>Makes a new authority.</summary>
    /// <param name="folder">Where it keeps its certificate and key; made when it is missing.</param>
    /// <param name="name">A name for people.</param>
    /// <param name="lifetime">How long its certificate is valid.</param>
    /// <param name="time">The clock; the system's when null.</param>
    /// <exception cref="IOException">The folder has an authority already.</exception>
    public static CertificateAuthority Create(string folder, string name, TimeSpan lifetime, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lifetime, TimeSpan.Zero);
        time ??= TimeProvider.System;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(CertificateRules.Subject(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = time.GetUtcNow();
        var certificate = request.CreateSelfSigned(now - Allowance, now + lifetime);
        if (!SecretFile.TryCreate(Path.Combine(folder, KeyFile), Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem())))
        {
            certificate.Dispose();
            throw new IOException($"There is an authority in {folder} already. Remove its {KeyFile} and {CertificateFile} to make another; nodes with its certificates then stay outside.");
        }

        File.WriteAllText(Path.Combine(folder, CertificateFile), certificate.ExportCertificatePem());
        return new CertificateAuthority(certificate, time);
    }

    /// <summary>The authority in a folder.</summary>
    /// <param name="folder">Where <see cref="Create"/> made it.</param>
    /// <param name="time">The clock; the system's when null.</param>
    /// <exception cref="InvalidDataException">A file is missing or is no such thing.</exception>
    public static CertificateAuthority Load(string folder, TimeProvider? time = null)
        => new(PemFiles.LoadWithKey(Path.Combine(folder, CertificateFile), Path.Combine(folder, KeyFile)), time ?? TimeProvider.System);

    /// <summary>Makes a node's certificate and key, and puts the authority's certificate beside them.</summary>
    /// <param name="folder">The folder for one node; made when it is missing. <see cref="NodeCertificate.Load(string)"/> reads it.</param>
    /// <param name="name">The node's name for people.</param>
    /// <param name="hosts">Host names and addresses the node may be reached under.</param>
    /// <param name="lifetime">How long the certificate is valid; at most as long as the authority's.</param>
    /// <param name="device">The device whose certificate it is, so that revoking the device revokes it; null where it is nobody's in particular.</param>
    /// <param name="owner">Whose the node is; null where nobody says.</param>
    /// <exception cref="IOException">The folder has a node's key already.</exception>
    public void Issue(string folder, string name, IReadOnlyCollection<string> hosts, TimeSpan lifetime, DeviceId? device = null, string? owner = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(hosts);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = Make(new CertificateRequest(CertificateRules.Subject(name, device, owner), key, HashAlgorithmName.SHA256), hosts, lifetime);
        if (!SecretFile.TryCreate(Path.Combine(folder, NodeCertificate.KeyFile), Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem())))
        {
            throw new IOException($"There is a node's key in {folder} already. Choose another folder, or remove what is in it.");
        }

        NodeCertificate.Store(folder, certificate.ExportCertificatePem(), CertificatePem);
    }

    /// <summary>Makes the certificate of a device for a key that the device made itself. It names the device and no host: peers judge by authority and device, and nobody gets to bear another's address.</summary>
    /// <param name="key">The key, as <see cref="SigningRequest.Read"/> returns it.</param>
    /// <param name="name">The device's name for people.</param>
    /// <param name="device">The device.</param>
    /// <param name="lifetime">How long the certificate is valid; at most as long as the authority's.</param>
    /// <param name="owner">Whose the device is; null where nobody says.</param>
    /// <returns>The certificate, PEM.</returns>
    public string Sign(PublicKey key, string name, DeviceId device, TimeSpan lifetime, string? owner = null)
    {
        ArgumentNullException.ThrowIfNull(key);
        using var certificate = Make(new CertificateRequest(CertificateRules.Subject(name, device, owner), key, HashAlgorithmName.SHA256), [], lifetime);
        return certificate.ExportCertificatePem();
    }

    /// <summary>The authority's signature of a statement of its own: ECDSA with SHA-256, 64 bytes. <see cref="CertificateRules.IsSigned"/> checks it.</summary>
    internal byte[] Sign(Statement statement)
    {
        using var key = _certificate.GetECDsaPrivateKey() ?? throw new InvalidOperationException("The authority's key is no ECDSA key; 'efedllm cert ca' makes one.");
        return key.SignData(statement.Bytes, HashAlgorithmName.SHA256);
    }

    /// <summary>A copy of the authority's certificate, without its key.</summary>
    internal X509Certificate2 PublicCertificate() => X509CertificateLoader.LoadCertificate(_certificate.RawData);

    /// <inheritdoc/>
    public void Dispose() => _certificate.Dispose();

    private X509Certificate2 Make(CertificateRequest request, IReadOnlyCollection<string> hosts, TimeSpan lifetime)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lifetime, TimeSpan.Zero);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(CertificateRules.ServerUse), new Oid(CertificateRules.ClientUse)], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        if (hosts.Count > 0)
        {
            var names = new SubjectAlternativeNameBuilder();
            foreach (var host in hosts)
            {
                if (IPAddress.TryParse(host, out var address))
                {
                    names.AddIpAddress(address);
                }
                else
                {
                    names.AddDnsName(host);
                }
            }

            request.CertificateExtensions.Add(names.Build());
        }

        var now = _time.GetUtcNow();
        var end = now + lifetime;
        var last = new DateTimeOffset(_certificate.NotAfter.ToUniversalTime());
        return request.Create(_certificate, now - Allowance, end < last ? end : last, RandomNumberGenerator.GetBytes(16));
    }
}
