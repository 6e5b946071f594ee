using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EFedLLM.Actors.Identity;

/// <summary>Certificates and keys in PEM files.</summary>
internal static class PemFiles
{
    private const int MaxBytes = 64 * 1024;

    /// <summary>A certificate.</summary>
    /// <exception cref="InvalidDataException">The file is missing or holds none.</exception>
    public static X509Certificate2 Load(string file) => Guard(file, () => X509Certificate2.CreateFromPem(Read(file)));

    /// <summary>A certificate with its private key.</summary>
    /// <exception cref="InvalidDataException">A file is missing, holds no such thing, or they do not belong together.</exception>
    public static X509Certificate2 LoadWithKey(string certificateFile, string keyFile)
    {
        using var certificate = Load(certificateFile);
        return Guard(keyFile, () =>
        {
            using var withKey = X509Certificate2.CreateFromPem(certificate.ExportCertificatePem(), Read(keyFile));

            // The transport needs a key that the system's TLS can use; on Windows one read from PEM is not.
            return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);
        });
    }

    /// <summary>Reads a private key into <paramref name="key"/>.</summary>
    /// <exception cref="InvalidDataException">The file is missing or holds none.</exception>
    public static void LoadKey(string file, ECDsa key) => Guard(file, () =>
    {
        key.ImportFromPem(Read(file));
        return key;
    });

    private static string Read(string file)
        => new FileInfo(file).Length <= MaxBytes ? File.ReadAllText(file) : throw new InvalidDataException($"{file} is longer than {MaxBytes} bytes.");

    private static T Guard<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"{file} cannot be used: {e.Message} 'efedllm cert' makes the files of a node.", e);
        }
    }
}
