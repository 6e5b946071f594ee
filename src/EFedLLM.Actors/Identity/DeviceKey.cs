using System.Security.Cryptography;
using EFedLLM.Actors.Protocol;
using NSec.Cryptography;

namespace EFedLLM.Actors.Identity;

/// <summary>A device's Ed25519 key: what it signs with, and through its hash what it is called. It lies in the device's data folder as PEM.</summary>
public sealed class DeviceKey : IDisposable
{
    /// <summary>Bytes of a public key.</summary>
    public const int PublicKeyBytes = 32;

    /// <summary>Bytes of a signature.</summary>
    public const int SignatureBytes = 64;

    private const int MaxFileBytes = 4096;

    private static readonly SignatureAlgorithm Algorithm = SignatureAlgorithm.Ed25519;

    private readonly Key _key;

    private DeviceKey(Key key)
    {
        _key = key;
        PublicKey = key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        Device = IdOf(PublicKey.Span);
    }

    /// <summary>The device: the first 32 hexadecimal digits of the SHA-256 of <see cref="PublicKey"/>.</summary>
    public DeviceId Device { get; }

    /// <summary>The public key, <see cref="PublicKeyBytes"/> bytes.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>The key in <paramref name="file"/>, which is made on the first call. Of several that make it at once one wins and all use its key.</summary>
    /// <param name="file">The file; its folder is made when it is missing. On Unix nobody else may read it.</param>
    /// <exception cref="InvalidDataException">The file holds no Ed25519 private key.</exception>
    /// <exception cref="IOException">The file can be neither read nor made.</exception>
    public static DeviceKey LoadOrCreate(string file)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        if (File.Exists(file))
        {
            return Load(file);
        }

        using var key = Key.Create(Algorithm, new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextArchiving });
        return SecretFile.TryCreate(file, key.Export(KeyBlobFormat.PkixPrivateKeyText)) ? new DeviceKey(Import(file)!) : Load(file);
    }

    /// <summary>A new key that is kept nowhere.</summary>
    internal static DeviceKey Create() => new(Key.Create(Algorithm));

    /// <summary>The key of a secret, for tests that must always go the same way.</summary>
    /// <param name="secret">32 bytes.</param>
    internal static DeviceKey Of(ReadOnlySpan<byte> secret) => new(Key.Import(Algorithm, secret, KeyBlobFormat.RawPrivateKey));

    /// <summary>The id of the device with a public key.</summary>
    /// <param name="publicKey"><see cref="PublicKeyBytes"/> bytes.</param>
    /// <exception cref="ArgumentException">The key has another length.</exception>
    public static DeviceId IdOf(ReadOnlySpan<byte> publicKey)
    {
        if (publicKey.Length != PublicKeyBytes)
        {
            throw new ArgumentException($"An Ed25519 public key has {PublicKeyBytes} bytes, not {publicKey.Length}.", nameof(publicKey));
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(publicKey, hash);
        return new DeviceId(Convert.ToHexStringLower(hash[..16]));
    }

    /// <summary>Whether <paramref name="signature"/> is the signature of <paramref name="statement"/> by the owner of <paramref name="publicKey"/>. Whatever the lengths, it answers rather than throws.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, Statement statement, ReadOnlySpan<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(statement);
        return publicKey.Length == PublicKeyBytes
            && signature.Length == SignatureBytes
            && NSec.Cryptography.PublicKey.TryImport(Algorithm, publicKey, KeyBlobFormat.RawPublicKey, out var key)
            && key is not null
            && Algorithm.Verify(key, statement.Bytes, signature);
    }

    /// <summary>The signature of <paramref name="statement"/>, <see cref="SignatureBytes"/> bytes.</summary>
    public byte[] Sign(Statement statement)
    {
        ArgumentNullException.ThrowIfNull(statement);
        return Algorithm.Sign(_key, statement.Bytes);
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    private static DeviceKey Load(string file) => new(Import(file) ?? throw new InvalidDataException(
        $"{file} holds no Ed25519 private key. Restore it from a copy; or delete it, and the device starts as a new one, without what it has earned."));

    private static Key? Import(string file)
    {
        using var stream = File.OpenRead(file);
        var bytes = new byte[MaxFileBytes];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        try
        {
            return length < bytes.Length && Key.TryImport(Algorithm, bytes.AsSpan(0, length), KeyBlobFormat.PkixPrivateKeyText, out var key) ? key : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
