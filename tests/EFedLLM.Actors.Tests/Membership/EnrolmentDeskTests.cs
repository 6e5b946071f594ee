using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Membership;

public sealed class EnrolmentDeskTests : IDisposable
{
    private readonly DeskFixture _ours = new();

    public void Dispose() => _ours.Dispose();

    [Fact]
    public void An_invited_device_gets_a_certificate_that_names_it_and_that_peers_accept()
    {
        var (invite, secret) = _ours.Desk.Create("kitchen-pc", DeskFixture.Hour);
        var (certificate, name) = _ours.Desk.Enrol(_ours.Request("a", invite, secret), DeskFixture.Here);
        Assert.Equal("kitchen-pc", name);
        NodeCertificate.Store(_ours.In("a/certificate"), certificate, _ours.Desk.AuthorityPem);
        using var own = NodeCertificate.Load(_ours.In("a/certificate"));
        Assert.Equal(_ours.Device("a"), own.Device);
        Assert.Null(_ours.Identity.Certificate.Reject(own.Certificate));
        Assert.Null(own.Reject(_ours.Identity.Certificate.Certificate));
        Assert.Empty(own.Certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>());
        Assert.Equal((InviteState.Used, _ours.Device("a")), (_ours.Desk.Invites.Single().State, _ours.Desk.Invites.Single().Device));
    }

    [Fact]
    public void An_invite_says_whose_the_device_is_and_its_certificate_says_it_too_each_time_it_asks()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour, "Anna Müller & Co, Zürich");
        for (var attempt = 0; attempt < 2; attempt++)
        {
            Assert.Equal("Anna Müller & Co, Zürich", Owner(_ours.Desk.Enrol(_ours.Request("a", invite, secret), DeskFixture.Here).Certificate));
            _ours.Restart();
        }

        var (nobodys, other) = _ours.Desk.Create(null, DeskFixture.Hour);
        Assert.Null(Owner(_ours.Desk.Enrol(_ours.Request("b", nobodys, other), DeskFixture.Here).Certificate));
        Assert.Throws<ArgumentException>(() => _ours.Desk.Create(null, DeskFixture.Hour, "a\u202eb"));

        static string? Owner(string pem)
        {
            using var certificate = X509Certificate2.CreateFromPem(pem);
            return CertificateRules.OwnerOf(certificate);
        }
    }

    [Fact]
    public void Invites_from_before_there_were_owners_are_read_and_admit_as_before()
    {
        var (invite, secret) = _ours.Desk.Create("old", DeskFixture.Hour);
        _ours.Desk.Dispose();
        var file = Path.Combine(_ours.In("ca"), InviteFile.Name);
        var lines = File.ReadAllLines(file);
        Assert.Single(lines, line => line.Contains("\"owner\"", StringComparison.Ordinal));
        File.WriteAllText(file, Regex.Replace(File.ReadAllText(file), ",\\s*\"owner\": null", ""));
        _ours.Restart();
        Assert.DoesNotContain("owner", File.ReadAllText(file), StringComparison.Ordinal);
        Assert.Equal(invite, _ours.Desk.Invites.Single());
        Assert.Equal("old", _ours.Desk.Enrol(_ours.Request("a", invite, secret), DeskFixture.Here).Name);
    }

    [Fact]
    public void An_invite_serves_one_device_which_may_ask_again()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var first = _ours.Request("a", invite, secret);
        _ours.Desk.Enrol(first, DeskFixture.Here);
        Assert.Equal(EnrolmentRefusal.Used, _ours.Refusal(_ours.Request("b", invite, secret)));
        Assert.Equal("a", _ours.Desk.Enrol(first, DeskFixture.Here).Name);
        _ours.Restart();
        Assert.Equal(EnrolmentRefusal.Used, _ours.Refusal(_ours.Request("b", invite, secret)));
        Assert.Equal("a", _ours.Desk.Enrol(_ours.Request("a", invite, secret), DeskFixture.Here).Name);
    }

    [Fact]
    public async Task Of_many_devices_at_once_one_is_enrolled()
    {
        const int Devices = 8;
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var requests = Enumerable.Range(0, Devices).Select(number => _ours.Request($"device-{number}", invite, secret)).ToArray();
        using var together = new Barrier(Devices);
        var enrolled = await Task.WhenAll(requests.Select(request => Task.Factory.StartNew(
            () =>
            {
                together.SignalAndWait();
                try
                {
                    _ours.Desk.Enrol(request, DeskFixture.Here);
                    return true;
                }
                catch (EnrolmentException refused)
                {
                    Assert.Equal(EnrolmentRefusal.Used, refused.Refusal);
                    return false;
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
        Assert.Single(enrolled, true);
    }

    [Fact]
    public void A_crash_between_marking_and_signing_leaves_the_invite_to_the_device_that_used_it()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        _ours.Restart((_, _, _, _) => throw new InvalidOperationException("The process ends here."));
        Assert.Throws<InvalidOperationException>(() => _ours.Desk.Enrol(_ours.Request("a", invite, secret), DeskFixture.Here));

        _ours.Restart();
        Assert.Equal(InviteState.Used, _ours.Desk.Invites.Single().State);
        Assert.Equal(EnrolmentRefusal.Used, _ours.Refusal(_ours.Request("b", invite, secret)));
        Assert.Equal("a", _ours.Desk.Enrol(_ours.Request("a", invite, secret), DeskFixture.Here).Name);
    }

    [Fact]
    public void Nothing_is_signed_where_the_use_cannot_be_written_down()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var signed = 0;
        _ours.Restart((_, _, _, _) => $"{++signed}");
        var request = _ours.Request("a", invite, secret);

        // A folder in the place of the file cannot be replaced by one.
        var file = Path.Combine(_ours.In("ca"), InviteFile.Name);
        File.Delete(file);
        Directory.CreateDirectory(Path.Combine(file, "in the way"));
        Assert.True(Record.Exception(() => _ours.Desk.Enrol(request, DeskFixture.Here)) is IOException or UnauthorizedAccessException);
        Assert.Equal(0, signed);
        Assert.Equal(InviteState.Open, _ours.Desk.Invites.Single().State);

        Directory.Delete(file, recursive: true);
        _ours.Desk.Enrol(request, DeskFixture.Here);
        Assert.Equal(1, signed);
    }

    [Fact]
    public void An_invite_ends_when_its_time_is_over_for_a_second_attempt_too()
    {
        var (used, usedSecret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var (open, openSecret) = _ours.Desk.Create(null, DeskFixture.Hour);
        _ours.Desk.Enrol(_ours.Request("a", used, usedSecret), DeskFixture.Here);
        _ours.Time.Move(DeskFixture.Hour - TimeSpan.FromSeconds(2));
        Assert.Equal("open", InviteRules.Describe(open, _ours.Time.GetUtcNow()));
        _ours.Desk.Enrol(_ours.Request("a", used, usedSecret), DeskFixture.Here);

        _ours.Time.Move(TimeSpan.FromSeconds(2));
        Assert.Equal("expired", InviteRules.Describe(open, _ours.Time.GetUtcNow()));
        Assert.Equal(EnrolmentRefusal.Expired, _ours.Refusal(_ours.Request("b", open, openSecret)));
        Assert.Equal(EnrolmentRefusal.Expired, _ours.Refusal(_ours.Request("a", used, usedSecret)));
        Assert.Equal(InviteState.Open, _ours.Desk.Invites.Single(invite => invite.Id == open.Id).State);
    }

    [Fact]
    public void An_invite_that_was_taken_back_admits_nobody_and_one_that_was_used_stays_used()
    {
        var (revoked, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var (used, usedSecret) = _ours.Desk.Create(null, DeskFixture.Hour);
        _ours.Desk.Enrol(_ours.Request("a", used, usedSecret), DeskFixture.Here);
        Assert.Equal(InviteState.Revoked, _ours.Desk.Revoke(revoked.Id)!.State);
        Assert.Equal(InviteState.Used, _ours.Desk.Revoke(used.Id)!.State);
        Assert.Null(_ours.Desk.Revoke("0000000000000000"));
        _ours.Restart();
        Assert.Equal(EnrolmentRefusal.Revoked, _ours.Refusal(_ours.Request("b", revoked, secret)));
    }

    [Fact]
    public void A_wrong_secret_and_an_invite_that_never_was_are_not_told_apart()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        _ours.Desk.Revoke(invite.Id);
        var wrong = secret.SetItem(0, (byte)~secret[0]);
        var one = Assert.Throws<EnrolmentException>(() => _ours.Desk.Enrol(_ours.Request("a", invite, wrong), DeskFixture.Here));
        var other = Assert.Throws<EnrolmentException>(() => _ours.Desk.Enrol(_ours.Request("a", invite with { Id = "ffffffffffffffff" }, secret), DeskFixture.Here));
        Assert.Equal((EnrolmentRefusal.Unknown, one.Message), (other.Refusal, other.Message));
        Assert.Equal(EnrolmentRefusal.Unknown, _ours.Refusal(_ours.Request("a", invite, [])));
        Assert.Equal(EnrolmentRefusal.Unknown, _ours.Refusal(_ours.Request("a", invite, secret[..^1])));
    }

    [Fact]
    public void Whoever_guesses_waits_and_keeps_no_other_address_waiting()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var guess = _ours.Request("a", invite, [1, 2, 3]);
        var right = _ours.Request("a", invite, secret);
        for (var i = 0; i < WrongSecretLimiter.PerAddress; i++)
        {
            // IPv6 within one network of a home counts as one.
            Assert.Equal(EnrolmentRefusal.Unknown, _ours.Refusal(guess, IPAddress.Parse($"2001:db8::{i:x}")));
        }

        Assert.Equal(EnrolmentRefusal.TooMany, _ours.Refusal(guess, IPAddress.Parse("2001:db8::ffff")));
        Assert.Equal(EnrolmentRefusal.TooMany, _ours.Refusal(right, IPAddress.Parse("2001:db8::1")));
        Assert.Equal("a", _ours.Desk.Enrol(right, IPAddress.Parse("2001:db8:0:1::1")).Name);
        _ours.Time.Move(TimeSpan.FromMinutes(1));
        Assert.Equal("a", _ours.Desk.Enrol(right, IPAddress.Parse("2001:db8::1")).Name);
    }

    [Fact]
    public void Guesses_from_everywhere_are_bounded_together()
    {
        var limiter = new WrongSecretLimiter(_ours.Time);
        for (var i = 0; i < WrongSecretLimiter.Overall; i++)
        {
            var from = new IPAddress([10, 0, (byte)(i >> 8), (byte)i]);
            Assert.True(limiter.MayTry(from));
            limiter.Count(from);
        }

        Assert.False(limiter.MayTry(DeskFixture.Here));
        _ours.Time.Move(TimeSpan.FromMinutes(1));
        Assert.True(limiter.MayTry(DeskFixture.Here));
    }

    [Theory]
    [InlineData(31)]
    [InlineData(-31)]
    public void A_clock_that_is_far_off_is_named_and_costs_no_invite(int minutes)
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var request = _ours.Request("a", invite, secret);
        Assert.Equal(EnrolmentRefusal.ClockSkew, _ours.Refusal(request with { Time = request.Time.AddMinutes(minutes) }));
        _ours.Desk.Enrol(request with { Time = request.Time.AddMinutes(minutes > 0 ? 29 : -29) }, DeskFixture.Here);
    }

    [Fact]
    public void A_device_that_does_not_have_the_key_it_shows_gets_nothing()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var (mine, other) = (_ours.Request("a", invite, secret), _ours.Request("b", invite, secret));
        Assert.Equal(EnrolmentRefusal.Malformed, _ours.Refusal(mine with { DeviceKey = other.DeviceKey }));
        Assert.Equal(EnrolmentRefusal.Malformed, _ours.Refusal(mine with { SigningRequest = other.SigningRequest }));
        Assert.Equal(EnrolmentRefusal.Malformed, _ours.Refusal(mine with { Invite = "another" }));
        Assert.False(mine.IsProven(ClusterId.WithoutTls("efedllm")));
        Assert.Equal(EnrolmentRefusal.Malformed, _ours.Refusal(mine with { Proof = ReadOnlyMemory<byte>.Empty, DeviceKey = ReadOnlyMemory<byte>.Empty }));
        Assert.Equal(InviteState.Open, _ours.Desk.Invites.Single().State);
    }

    [Fact]
    public void A_request_for_another_kind_of_key_or_signed_by_another_is_refused()
    {
        using var rsa = RSA.Create(2048);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var good = SigningRequest.Make(_ours.In("key"), "a");
        var tampered = (byte[])good.Clone();
        tampered[^1] ^= 1;
        byte[][] requests =
        [
            new CertificateRequest("CN=a", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequest(),
            new CertificateRequest("CN=a", p384, HashAlgorithmName.SHA256).CreateSigningRequest(),
            tampered,
            good[..^10],
            [],
            new byte[SigningRequest.MaxBytes + 1],
        ];
        Assert.All(requests, request => Assert.Throws<InvalidDataException>(() => SigningRequest.Read(request)));
        Assert.Equal(SigningRequest.Read(good).ExportSubjectPublicKeyInfo(), SigningRequest.Read(SigningRequest.Make(_ours.In("key"), "a")).ExportSubjectPublicKeyInfo());
    }

    [Fact]
    public void An_evicted_device_is_not_enrolled_again_until_it_is_readmitted()
    {
        var (invite, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var device = _ours.Device("a");
        Assert.NotNull(_ours.Desk.Decide(device, true, [], "a"));
        Assert.Null(_ours.Desk.Decide(device, true, [], "a"));
        Assert.Equal(EnrolmentRefusal.Evicted, _ours.Refusal(_ours.Request("a", invite, secret)));
        Assert.NotNull(_ours.Desk.Decide(device, false, [], "a"));
        Assert.Null(_ours.Desk.Decide(device, false, [], "a"));
        Assert.Equal("a", _ours.Desk.Enrol(_ours.Request("a", invite, secret), DeskFixture.Here).Name);
    }

    [Fact]
    public void What_is_kept_on_disk_is_for_its_owner_alone_and_admits_nobody()
    {
        var (_, secret) = _ours.Desk.Create(null, DeskFixture.Hour);
        var file = Path.Combine(_ours.In("ca"), InviteFile.Name);
        var text = File.ReadAllText(file);
        Assert.DoesNotContain(Convert.ToHexStringLower([.. secret]), text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Convert.ToBase64String([.. secret]), text, StringComparison.Ordinal);
        var token = OperatorToken.LoadOrCreate(_ours.In("ca"));
        Assert.Equal(token.Value, OperatorToken.LoadOrCreate(_ours.In("ca")).Value);
        Assert.True(token.Matches(token.Value));
        Assert.False(token.Matches(null));
        Assert.False(token.Matches(token.Value[1..]));
        if (!OperatingSystem.IsWindows())
        {
            foreach (var name in new[] { InviteFile.Name, OperatorToken.FileName })
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_ours.In("ca"), name)));
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("{}")]
    [InlineData("""{"version":2,"invites":[]}""")]
    [InlineData("""{"version":1,"invites":[{"id":"a"}]}""")]
    [InlineData("""{"version":1,"invites":[{"id":"a","name":null,"secretHash":"0000000000000000000000000000000000000000000000000000000000000000","created":"2026-01-01T00:00:00Z","expires":"2026-01-01T00:00:00Z","state":"Open","device":null,"changed":null,"owner":" a"}]}""")]
    [InlineData("""{"version":1,"invites":[{"id":"a","secretHash":"x","created":"2026-01-01T00:00:00Z","expires":"2026-01-01T00:00:00Z","state":"Open"}]}""")]
    public void Damaged_invites_are_named_rather_than_forgotten(string content)
    {
        _ours.Desk.Dispose();
        File.WriteAllText(Path.Combine(_ours.In("ca"), InviteFile.Name), content);
        Assert.Contains(InviteFile.Name, Assert.Throws<InvalidDataException>(() => _ours.Restart()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_process_at_a_time_invites_and_only_with_the_authority_of_the_node()
    {
        Assert.Contains("Another node", Assert.Throws<IOException>(() => EnrolmentDesk.Open(_ours.In("ca"), _ours.Identity, _ours.Time)).Message, StringComparison.Ordinal);
        CertificateAuthority.Create(_ours.In("other"), "ours", TimeSpan.FromDays(1)).Dispose();
        Assert.Contains("another authority", Assert.Throws<InvalidDataException>(() => EnrolmentDesk.Open(_ours.In("other"), _ours.Identity, _ours.Time)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(59)]
    [InlineData((30 * 86400) + 1)]
    public void An_invite_of_an_impossible_life_is_not_made(int seconds)
        => Assert.Throws<ArgumentOutOfRangeException>(() => _ours.Desk.Create(null, TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Open_invites_are_bounded_and_old_ones_make_room()
    {
        for (var i = 0; i < 20; i++)
        {
            _ours.Desk.Create($"{i}", TimeSpan.FromMinutes(1));
        }

        _ours.Time.Move(TimeSpan.FromMinutes(2));
        var (open, _) = _ours.Desk.Create("open", DeskFixture.Hour);
        Assert.Equal(21, _ours.Desk.Invites.Length);
        Assert.Equal(open.Id, _ours.Desk.Invites.Last().Id);
    }
}
