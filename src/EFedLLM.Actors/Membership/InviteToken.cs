using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace EFedLLM.Actors.Membership;

/// <summary>
/// What an invite gives to the machine that is invited, as one word that can be pasted: where to enrol, whom to trust there, and the secret
/// that admits. Whoever has it can enrol one device, once, until it expires.
/// </summary>
/// <param name="Id">The invite, 16 lower-case hexadecimal digits.</param>
/// <param name="Secret"><see cref="SecretBytes"/> random bytes.</param>
/// <param name="Authority">The SHA-256 of the authority's public key, lower-case hexadecimal.</param>
/// <param name="Server">The same of the node that enrols: no other member can pass for it.</param>
/// <param name="Expires">When it ends, to the second.</param>
/// <param name="Addresses">Where to enrol, each <c>host:port</c>, 1 to <see cref="MaxAddresses"/>.</param>
/// <param name="Seeds">Anchors to join then, each <c>host:port</c>, 1 to <see cref="MaxAddresses"/>.</param>
public sealed record InviteToken(
    string Id,
    ImmutableArray<byte> Secret,
    string Authority,
    string Server,
    DateTimeOffset Expires,
    ImmutableArray<string> Addresses,
    ImmutableArray<string> Seeds)
{
    /// <summary>Bytes of <see cref="Secret"/>.</summary>
    public const int SecretBytes = 20;

    /// <summary>Most addresses of either kind.</summary>
    public const int MaxAddresses = 8;

    /// <summary>Most characters of a token.</summary>
    public const int MaxCharacters = 6144;

    private const byte Version = 1;
    private const int IdBytes = 8;
    private const int ChecksumBytes = 4;
    private const int AddressBytes = byte.MaxValue;

    private static readonly SearchValues<char> Characters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>Reads a token.</summary>
    /// <exception cref="FormatException">It is none; the message says in which way.</exception>
    public static InviteToken Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var trimmed = text.AsSpan().Trim();
        if (trimmed.Length > MaxCharacters)
        {
            throw new FormatException($"An invite has at most {MaxCharacters} characters; this is something else.");
        }

        if (trimmed.ContainsAnyExcept(Characters))
        {
            throw new FormatException("This is no invite: it has characters that no invite has. Copy the whole word after \"join\".");
        }

        // A length that no encoding has is that of one that was cut off.
        var bytes = Base64Url.IsValid(trimmed) ? Base64Url.DecodeFromChars(trimmed) : [];
        if (bytes.Length > 0 && bytes[0] != Version)
        {
            throw new FormatException($"This is no invite that this version understands (it begins with {bytes[0]}, not {Version}): update efedllm on this machine, or copy the invite again.");
        }

        if (bytes.Length <= ChecksumBytes || !Checksum(bytes.AsSpan(0, bytes.Length - ChecksumBytes)).SequenceEqual(bytes.AsSpan(bytes.Length - ChecksumBytes)))
        {
            throw new FormatException("The invite is incomplete or was changed: copy the whole word after \"join\" again.");
        }

        try
        {
            return Read(bytes.AsSpan(1, bytes.Length - ChecksumBytes - 1));
        }
        catch (Exception error) when (error is ArgumentException or IndexOutOfRangeException)
        {
            throw new FormatException("The invite is damaged: ask for another.", error);
        }
    }

    /// <summary>The token as people paste it: base64url of version, fields and checksum.</summary>
    public override string ToString()
    {
        var bytes = new List<byte> { Version };
        bytes.AddRange(Convert.FromHexString(Id));
        bytes.AddRange(Secret);
        bytes.AddRange(Convert.FromHexString(Authority));
        bytes.AddRange(Convert.FromHexString(Server));
        var expires = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(expires, Expires.ToUnixTimeSeconds());
        bytes.AddRange(expires);
        Write(bytes, Addresses);
        Write(bytes, Seeds);
        bytes.AddRange(Checksum([.. bytes]));
        return Base64Url.EncodeToString([.. bytes]);
    }

    /// <inheritdoc/>
    public bool Equals(InviteToken? other) => other is not null && ToString() == other.ToString();

    /// <inheritdoc/>
    public override int GetHashCode() => Id.GetHashCode(StringComparison.Ordinal);

    private static InviteToken Read(ReadOnlySpan<byte> bytes)
    {
        var rest = bytes;
        var id = Convert.ToHexStringLower(Take(ref rest, IdBytes));
        var secret = Take(ref rest, SecretBytes).ToImmutableArray();
        var authority = Convert.ToHexStringLower(Take(ref rest, SHA256.HashSizeInBytes));
        var server = Convert.ToHexStringLower(Take(ref rest, SHA256.HashSizeInBytes));
        var expires = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64BigEndian(Take(ref rest, sizeof(long))));
        var token = new InviteToken(id, secret, authority, server, expires, ReadAddresses(ref rest), ReadAddresses(ref rest));
        return rest.IsEmpty ? token : throw new ArgumentException("There is something behind the last address.");
    }

    private static ImmutableArray<string> ReadAddresses(ref ReadOnlySpan<byte> rest)
    {
        var count = Take(ref rest, 1)[0];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxAddresses);
        ArgumentOutOfRangeException.ThrowIfZero(count);
        var addresses = ImmutableArray.CreateBuilder<string>(count);
        for (var i = 0; i < count; i++)
        {
            var text = Take(ref rest, Take(ref rest, 1)[0]);
            addresses.Add(Ascii.IsValid(text) ? Encoding.ASCII.GetString(text) : throw new ArgumentException("An address is not ASCII."));
        }

        return addresses.MoveToImmutable();
    }

    private static void Write(List<byte> bytes, ImmutableArray<string> addresses)
    {
        ArgumentOutOfRangeException.ThrowIfZero(addresses.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(addresses.Length, MaxAddresses);
        bytes.Add((byte)addresses.Length);
        foreach (var address in addresses)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(address.Length, AddressBytes);
            bytes.Add((byte)address.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(address));
        }
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, int count)
    {
        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    private static ReadOnlySpan<byte> Checksum(ReadOnlySpan<byte> bytes) => SHA256.HashData(bytes).AsSpan(0, ChecksumBytes);
}
