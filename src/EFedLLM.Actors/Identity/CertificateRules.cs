using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Identity;

/// <summary>How certificates of a cluster are written and judged.</summary>
public static class CertificateRules
{
    /// <summary>Most bytes of a certificate that a device shows, DER: twice what the longest names make of one.</summary>
    internal const int MostBytes = 2048;

    internal const string ServerUse = "1.3.6.1.5.5.7.3.1";
    internal const string ClientUse = "1.3.6.1.5.5.7.3.2";

    // The attribute serialNumber of a subject (X.520), which IEEE 802.1AR uses for the identity of a device.
    private const string DeviceAttribute = "2.5.4.5";

    // The attribute organizationName (X.520).
    private const string OwnerAttribute = "2.5.4.10";

    /// <summary>The SHA-256 of a certificate's public key, in lower-case hexadecimal.</summary>
    public static string Fingerprint(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        return Convert.ToHexStringLower(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
    }

    /// <summary>The SHA-256 of the public key of a certificate in a PEM file, in lower-case hexadecimal.</summary>
    /// <exception cref="InvalidDataException">The file is missing or holds no certificate.</exception>
    public static string FingerprintOfFile(string file)
    {
        using var certificate = PemFiles.Load(file);
        return Fingerprint(certificate);
    }

    /// <summary>The certificate of the authority in a folder.</summary>
    /// <exception cref="InvalidDataException">There is none, or it cannot be used.</exception>
    public static X509Certificate2 LoadAuthority(string folder) => PemFiles.Load(Path.Combine(folder, CertificateAuthority.CertificateFile));

    /// <summary>The device that a certificate names, or null where it names none.</summary>
    public static DeviceId? DeviceOf(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        var named = Named(certificate, DeviceAttribute);
        try
        {
            return named is null ? null : new DeviceId(named);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>The owner that a certificate names, or null where it names none.</summary>
    public static string? OwnerOf(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        return Named(certificate, OwnerAttribute) is { } named && OwnerName.Problem(named) is null ? named : null;
    }

    /// <summary>Reads whose a device is in a certificate that somebody says is the device's. Whatever is handed in, it answers rather than throws.</summary>
    /// <param name="certificate">The certificate, DER.</param>
    /// <param name="device">The device.</param>
    /// <param name="authority">The authority's certificate.</param>
    /// <param name="owner">Whose it is, or null where the certificate does not say.</param>
    /// <returns>Whether the certificate is the device's, and from the authority.</returns>
    internal static bool TryReadOwner(ReadOnlySpan<byte> certificate, DeviceId device, X509Certificate2 authority, out string? owner)
    {
        owner = null;
        if (certificate.Length > MostBytes)
        {
            return false;
        }

        try
        {
            using var shown = X509CertificateLoader.LoadCertificate(certificate);
            if (DeviceOf(shown) != device || Reject(shown, authority) is not null)
            {
                return false;
            }

            owner = OwnerOf(shown);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>Why a certificate is not accepted as one of an authority's, or null when it is. Whether it was revoked is another question.</summary>
    /// <param name="peer">The certificate, or null when none was shown.</param>
    /// <param name="authority">The authority's certificate.</param>
    public static string? Reject(X509Certificate2? peer, X509Certificate2 authority)
    {
        ArgumentNullException.ThrowIfNull(authority);
        if (peer is null)
        {
            return "no certificate was shown";
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerUse));
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientUse));
        if (!chain.Build(peer))
        {
            return string.Join("; ", chain.ChainStatus.Select(status => status.StatusInformation.Trim()));
        }

        // The root is compared by its key, not by what it says of itself.
        return Fingerprint(chain.ChainElements[^1].Certificate) == Fingerprint(authority) ? null : "it is from another authority";
    }

    /// <summary>The cluster of an authority.</summary>
    internal static ClusterId ClusterOf(X509Certificate2 authority) => ClusterId.Parse(Fingerprint(authority));

    /// <summary>Whether an authority signed a statement (<see cref="CertificateAuthority.Sign(Statement)"/>). Whatever is handed in, it answers rather than throws.</summary>
    internal static bool IsSigned(X509Certificate2 authority, Statement statement, ReadOnlySpan<byte> signature)
    {
        using var key = authority.GetECDsaPublicKey();
        return key is not null && key.VerifyData(statement.Bytes, signature, HashAlgorithmName.SHA256);
    }

    /// <summary>The subject of a certificate.</summary>
    internal static X500DistinguishedName Subject(string name, DeviceId? device = null, string? owner = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        OwnerName.Check(owner);
        var builder = new X500DistinguishedNameBuilder();
        if (device is { } id)
        {
            builder.Add(DeviceAttribute, id.Value);
        }

        if (owner is not null)
        {
            builder.AddOrganizationName(owner);
        }

        builder.AddCommonName(name);
        return builder.Build();
    }

    private static string? Named(X509Certificate2 certificate, string attribute) => certificate.SubjectName.EnumerateRelativeDistinguishedNames()
        .Where(part => !part.HasMultipleElements && part.GetSingleElementType().Value == attribute)
        .Select(part => part.GetSingleElementValue())
        .FirstOrDefault();
}
