using EFedLLM.Actors.Identity;

namespace EFedLLM.Actors.Tests.Identity;

public sealed class CertificateAuthorityTests : IDisposable
{
    private static readonly TimeSpan Year = TimeSpan.FromDays(365);

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-ca-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_node_accepts_the_certificates_of_its_authority_and_no_others()
    {
        using var ours = CertificateAuthority.Create(In("ca"), "our cluster", Year);
        using var theirs = CertificateAuthority.Create(In("other"), "our cluster", Year);
        ours.Issue(In("a"), "a", ["127.0.0.1", "a.example.org"], Year);
        ours.Issue(In("b"), "b", [], Year);
        theirs.Issue(In("x"), "a", ["127.0.0.1"], Year);
        using var a = NodeCertificate.Load(In("a"));
        using var b = NodeCertificate.Load(In("b"));
        using var x = NodeCertificate.Load(In("x"));

        Assert.Null(a.Reject(b.Certificate));
        Assert.Null(b.Reject(a.Certificate));
        Assert.NotNull(a.Reject(x.Certificate));
        Assert.NotNull(x.Reject(a.Certificate));
        Assert.Contains("no certificate", a.Reject(null), StringComparison.Ordinal);
        Assert.Equal(ours.Fingerprint, a.AuthorityFingerprint);
        Assert.NotEqual(ours.Fingerprint, theirs.Fingerprint);
    }

    [Fact]
    public void An_authority_is_there_again_after_a_restart()
    {
        string fingerprint;
        using (var first = CertificateAuthority.Create(In("ca"), "c", Year))
        {
            first.Issue(In("a"), "a", [], Year);
            fingerprint = first.Fingerprint;
        }

        using var second = CertificateAuthority.Load(In("ca"));
        second.Issue(In("b"), "b", [], Year);
        using var a = NodeCertificate.Load(In("a"));
        using var b = NodeCertificate.Load(In("b"));
        Assert.Equal(fingerprint, second.Fingerprint);
        Assert.Null(a.Reject(b.Certificate));
    }

    [Fact]
    public void A_node_cannot_make_certificates()
    {
        using var authority = CertificateAuthority.Create(In("ca"), "c", Year);
        authority.Issue(In("a"), "a", [], Year);

        // A node that plays the authority: its own certificate and key under the authority's names.
        Directory.CreateDirectory(In("evil"));
        File.Copy(Path.Combine(In("a"), NodeCertificate.CertificateFile), Path.Combine(In("evil"), CertificateAuthority.CertificateFile));
        File.Copy(Path.Combine(In("a"), NodeCertificate.KeyFile), Path.Combine(In("evil"), CertificateAuthority.KeyFile));
        using var evil = CertificateAuthority.Load(In("evil"));
        var refused = Record.Exception(() =>
        {
            evil.Issue(In("x"), "x", [], Year);
            File.Copy(Path.Combine(In("ca"), CertificateAuthority.CertificateFile), Path.Combine(In("x"), CertificateAuthority.CertificateFile), overwrite: true);
            NodeCertificate.Load(In("x")).Dispose();
        });
        Assert.NotNull(refused);
    }

    [Fact]
    public void A_certificate_that_expired_is_refused()
    {
        using var past = CertificateAuthority.Create(In("ca"), "c", Year, new Shifted(TimeSpan.FromDays(-30)));
        past.Issue(In("old"), "old", [], TimeSpan.FromDays(1));

        var error = Assert.Throws<InvalidDataException>(() => NodeCertificate.Load(In("old")));
        Assert.Contains("efedllm cert", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_are_readable_by_their_owner_alone_and_never_overwritten()
    {
        using var authority = CertificateAuthority.Create(In("ca"), "c", Year);
        authority.Issue(In("a"), "a", [], Year);
        Assert.Throws<IOException>(() => CertificateAuthority.Create(In("ca"), "c", Year));
        Assert.Throws<IOException>(() => authority.Issue(In("a"), "a", [], Year));
        Assert.False(File.Exists(Path.Combine(In("a"), CertificateAuthority.KeyFile)));
        if (!OperatingSystem.IsWindows())
        {
            var mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            Assert.Equal(mode, File.GetUnixFileMode(Path.Combine(In("ca"), CertificateAuthority.KeyFile)));
            Assert.Equal(mode, File.GetUnixFileMode(Path.Combine(In("a"), NodeCertificate.KeyFile)));
        }
    }

    [Theory]
    [InlineData(CertificateAuthority.CertificateFile)]
    [InlineData(NodeCertificate.CertificateFile)]
    [InlineData(NodeCertificate.KeyFile)]
    public void A_damaged_file_is_named(string name)
    {
        using var authority = CertificateAuthority.Create(In("ca"), "c", Year);
        authority.Issue(In("a"), "a", [], Year);
        foreach (var damage in new[] { "", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", new string('x', 100_000) })
        {
            File.WriteAllText(Path.Combine(In("a"), name), damage);
            Assert.Contains(name, Assert.Throws<InvalidDataException>(() => NodeCertificate.Load(In("a"))).Message, StringComparison.Ordinal);
        }

        File.Delete(Path.Combine(In("a"), name));
        Assert.Contains(name, Assert.Throws<InvalidDataException>(() => NodeCertificate.Load(In("a"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_of_another_node_is_refused()
    {
        using var authority = CertificateAuthority.Create(In("ca"), "c", Year);
        authority.Issue(In("a"), "a", [], Year);
        authority.Issue(In("b"), "b", [], Year);
        File.Copy(Path.Combine(In("b"), NodeCertificate.KeyFile), Path.Combine(In("a"), NodeCertificate.KeyFile), overwrite: true);
        Assert.Throws<InvalidDataException>(() => NodeCertificate.Load(In("a")));
    }

    private string In(string name) => Path.Combine(_folder, name);

    private sealed class Shifted(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
