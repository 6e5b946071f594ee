using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Identity;

public sealed class OwnerTests : IDisposable
{
    private static readonly TimeSpan Year = TimeSpan.FromDays(365);
    private static readonly DeviceId Device = new(new string('a', 32));

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-owner-").FullName;
    private readonly CertificateAuthority _ours;

    public OwnerTests() => _ours = CertificateAuthority.Create(Path.Combine(_folder, "ca"), "ours", Year);

    public void Dispose()
    {
        _ours.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("Anna Müller, Zürich")]
    [InlineData("安娜")]
    [InlineData("O=evil, CN=x + \"y\"")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("🦊")]
    public void What_can_be_read_is_a_name_and_stands_in_a_certificate_as_it_is(string owner)
    {
        Assert.Null(OwnerName.Problem(owner));
        Assert.True(CertificateRules.TryReadOwner(Sign(_ours, Device, owner), Device, Authority(_ours), out var read));
        Assert.Equal(owner, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(" a")]
    [InlineData("a ")]
    [InlineData("a\tb")]
    [InlineData("a\nb")]
    [InlineData("a\0")]
    [InlineData("a\u200bb")]
    [InlineData("a\u202eb")]
    [InlineData("a\u00a0b")]
    [InlineData("a\u2028b")]
    [InlineData("a\ue000")]
    [InlineData("a\ufffd")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void What_is_empty_too_long_or_cannot_be_seen_is_no_name_and_comes_into_no_certificate(string owner)
    {
        Assert.NotNull(OwnerName.Problem(owner));
        Assert.Throws<ArgumentException>(() => Sign(_ours, Device, owner));
    }

    [Fact]
    public void Half_a_character_is_no_name() => Assert.NotNull(OwnerName.Problem("a\ud83e"));

    [Fact]
    public void The_longest_names_fit_into_what_a_device_shows()
    {
        using var authority = CertificateAuthority.Create(Path.Combine(_folder, "long"), new string('安', 64), Year);
        var certificate = Sign(authority, Device, new string('安', OwnerName.MostCharacters), new string('安', 64));
        Assert.InRange(certificate.Length, 1, CertificateRules.MostBytes);
        Assert.True(CertificateRules.TryReadOwner(certificate, Device, Authority(authority), out _));
    }

    [Fact]
    public void A_certificate_of_before_there_were_owners_is_the_device_s_and_names_none()
    {
        Assert.True(CertificateRules.TryReadOwner(Sign(_ours, Device, null), Device, Authority(_ours), out var owner));
        Assert.Null(owner);
        _ours.Issue(Path.Combine(_folder, "node"), "node", ["127.0.0.1"], Year);
        using var node = NodeCertificate.Load(Path.Combine(_folder, "node"));
        Assert.Null(node.Owner);
        Assert.True(node.Shown.IsEmpty);
    }

    [Fact]
    public void A_node_shows_the_certificate_that_names_its_device_and_no_key()
    {
        _ours.Issue(Path.Combine(_folder, "node"), "node", ["127.0.0.1"], Year, Device, "anna");
        using var node = NodeCertificate.Load(Path.Combine(_folder, "node"));
        Assert.Equal("anna", node.Owner);
        Assert.True(CertificateRules.TryReadOwner(node.Shown.Span, Device, Authority(_ours), out var owner));
        Assert.Equal("anna", owner);
        using var shown = X509CertificateLoader.LoadCertificate(node.Shown.Span);
        Assert.False(shown.HasPrivateKey);
    }

    [Fact]
    public void Only_the_authority_says_whose_a_device_is()
    {
        using var theirs = CertificateAuthority.Create(Path.Combine(_folder, "theirs"), "ours", Year);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var self = new CertificateRequest(CertificateRules.Subject("a", Device, "bert"), key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var right = Sign(_ours, Device, "anna");
        var tampered = right.ToArray();
        var name = right.AsSpan().IndexOf("anna"u8);
        "bert"u8.CopyTo(tampered.AsSpan(name));
        byte[][] lies =
        [
            Sign(_ours, new DeviceId(new string('b', 32)), "bert"), // another device's
            Sign(theirs, Device, "bert"),
            self.RawData,
            tampered,
            right[..^1],
            [],
            [1],
            new byte[CertificateRules.MostBytes],
            [.. right, .. new byte[CertificateRules.MostBytes]],
        ];
        Assert.All(lies, lie =>
        {
            Assert.False(CertificateRules.TryReadOwner(lie, Device, Authority(_ours), out var owner));
            Assert.Null(owner);
        });
    }

    [Fact]
    public void A_damaged_certificate_is_refused_and_never_more_than_that()
    {
        var right = Sign(_ours, Device, "anna");
        var authority = Authority(_ours);
        var random = new Random(1);
        for (var round = 0; round < 500; round++)
        {
            var damaged = right.ToArray();
            damaged[random.Next(damaged.Length)] ^= (byte)random.Next(1, 256);
            Assert.True(!CertificateRules.TryReadOwner(damaged, Device, authority, out var owner) && owner is null, $"round {round}");
        }
    }

    [Fact]
    public void A_certificate_that_has_ended_says_nothing_any_more()
    {
        using var past = CertificateAuthority.Create(Path.Combine(_folder, "past"), "past", Year, new Shifted(TimeSpan.FromDays(-30)));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var old = X509Certificate2.CreateFromPem(past.Sign(new PublicKey(key), "a", Device, TimeSpan.FromDays(1), "anna"));
        Assert.False(CertificateRules.TryReadOwner(old.RawData, Device, Authority(past), out _));
    }

    private static X509Certificate2 Authority(CertificateAuthority authority) => authority.PublicCertificate();

    private static byte[] Sign(CertificateAuthority authority, DeviceId device, string? owner, string name = "a device")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = X509Certificate2.CreateFromPem(authority.Sign(new PublicKey(key), name, device, TimeSpan.FromDays(10), owner));
        return certificate.RawData;
    }

    private sealed class Shifted(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
