using System.Collections.Immutable;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Membership;

/// <summary>A decision of the cluster's authority: a device is kept out, or is let in again. Of two about one device the later version counts.</summary>
/// <param name="Version">Grows with each decision, from 1.</param>
/// <param name="Device">The device: every certificate that names it is meant.</param>
/// <param name="Revoked">Whether it is kept out.</param>
/// <param name="Keys">SHA-256 of the public keys of certificates that do not name it, lower-case hexadecimal; at most <see cref="ProtocolLimits.RevokedKeys"/>.</param>
/// <param name="Name">The device's name for people, at most 64 characters.</param>
/// <param name="At">When, by the clock of the node that decided, to the millisecond.</param>
public sealed record Revocation(long Version, DeviceId Device, bool Revoked, ImmutableArray<string> Keys, string Name, DateTimeOffset At)
{
    /// <summary>Most characters of <see cref="Name"/>.</summary>
    public const int NameCharacters = 64;

    /// <summary>The decision, signed.</summary>
    internal SignedRevocation Sign(CertificateAuthority authority)
    {
        var form = new Form.RevocationContent { Version = Version, Device = Values.Write(Device), Revoked = Revoked, Name = Name, At = At.ToUnixTimeMilliseconds() };
        form.Keys.Add(Keys.Select(key => ByteString.CopyFrom(Convert.FromHexString(key))));
        var content = form.ToByteArray();
        return new SignedRevocation(content, authority.Sign(Statement(ClusterId.Parse(authority.Fingerprint), Version, content)));
    }

    /// <summary>What was decided, or null where the authority did not sign it or it is no decision.</summary>
    /// <param name="signed">What arrived.</param>
    /// <param name="authority">The authority's certificate.</param>
    internal static Revocation? Read(SignedRevocation signed, X509Certificate2 authority)
    {
        if (signed.Content.Length is 0 or > ProtocolLimits.RevocationBytes)
        {
            return null;
        }

        try
        {
            var form = Form.RevocationContent.Parser.ParseFrom(signed.Content.Span);
            if (!CertificateRules.IsSigned(authority, Statement(CertificateRules.ClusterOf(authority), form.Version, signed.Content.Span), signed.Signature.Span))
            {
                return null;
            }

            Require.Count(form.Keys.Count, ProtocolLimits.RevokedKeys, "keys");
            return new Revocation(
                Require.AtLeast(form.Version, 1, "version"),
                Values.Device(form.Device, "device"),
                form.Revoked,
                [.. form.Keys.Select(key => Convert.ToHexStringLower(key.Span))],
                Require.Text(form.Name, NameCharacters, "name"),
                DateTimeOffset.FromUnixTimeMilliseconds(form.At));
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or MalformedMessageException or ArgumentOutOfRangeException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public bool Equals(Revocation? other) => other is not null && Version == other.Version && Device == other.Device && Revoked == other.Revoked
        && Keys.AsSpan().SequenceEqual(other.Keys.AsSpan()) && Name == other.Name && At == other.At;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Version, Device, Revoked);

    private static Statement Statement(ClusterId cluster, long version, ReadOnlySpan<byte> content) => new(StatementPurpose.Revocation, cluster, version, content);
}
