using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace EFedLLM.Actors.Identity;

/// <summary>A request for a certificate (PKCS #10, RFC 2986): a node makes its key itself and shows the authority the public half alone.</summary>
public static class SigningRequest
{
    /// <summary>Most bytes of a request.</summary>
    public const int MaxBytes = 2048;

    private const string Curve = "1.2.840.10045.3.1.7";

    /// <summary>A request for the key in a node's folder, which is made on the first call and kept for a second attempt.</summary>
    /// <param name="folder">The node's folder; made when it is missing.</param>
    /// <param name="name">The node's name for people.</param>
    /// <returns>The request, DER.</returns>
    /// <exception cref="InvalidDataException">There is a key that cannot be used.</exception>
    public static byte[] Make(string folder, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var file = Path.Combine(folder, NodeCertificate.KeyFile);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (!SecretFile.TryCreate(file, Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem())))
        {
            PemFiles.LoadKey(file, key);
        }

        return new CertificateRequest(CertificateRules.Subject(name), key, HashAlgorithmName.SHA256).CreateSigningRequest();
    }

    /// <summary>The key that a request is for. That it is signed with that key is checked, and that it is one for ECDSA over P-256.</summary>
    /// <param name="request">The request, DER.</param>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static PublicKey Read(byte[] request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Length > MaxBytes)
        {
            throw new InvalidDataException($"A certificate signing request has at most {MaxBytes} bytes.");
        }

        try
        {
            var read = CertificateRequest.LoadSigningRequest(request, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.Default);
            using var key = read.PublicKey.GetECDsaPublicKey();
            return key?.ExportParameters(false).Curve.Oid.Value == Curve
                ? read.PublicKey
                : throw new InvalidDataException("The certificate signing request is for another kind of key than ECDSA over P-256.");
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new InvalidDataException("The certificate signing request is none, or is not signed with its own key.", error);
        }
    }
}
