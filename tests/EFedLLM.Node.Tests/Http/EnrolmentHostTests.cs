using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Tests.Http;

public class EnrolmentHostTests
{
    [Fact]
    public async Task A_device_that_enrols_has_what_it_needs_to_join_and_needs_no_invite_again()
    {
        await using var server = await EnrolmentServer.StartAsync();
        var invite = server.Invite("kitchen-pc", "anna");
        var joined = await server.EnrolAsync(invite, "a");
        Assert.Equal(("kitchen-pc", invite.Authority), (joined.Name, joined.Authority));
        Assert.Equal(["127.0.0.1:4053"], joined.Seeds);
        var folder = JoinedCluster.Folder(server.In("a"), invite.Authority);
        using var certificate = NodeCertificate.Load(folder);
        Assert.Null(server.Identity.Certificate.Reject(certificate.Certificate));
        Assert.Equal("anna", certificate.Owner);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(folder, NodeCertificate.KeyFile)));
        }

        Assert.Equal(joined.Name, JoinedCluster.Find(server.In("a"), server.Invite())?.Name);
        Assert.Equal(joined.Name, JoinedCluster.Latest(server.In("a"), "127.0.0.1:4053")?.Name);
        Assert.Null(JoinedCluster.Latest(server.In("a"), "127.0.0.1:4054"));
        Assert.Null(JoinedCluster.Latest(server.In("nobody"), null));
        File.Delete(Path.Combine(folder, NodeCertificate.CertificateFile));
        Assert.Null(JoinedCluster.Latest(server.In("a"), null));
    }

    [Fact]
    public async Task Every_refusal_says_what_to_do()
    {
        await using var server = await EnrolmentServer.StartAsync();
        var used = server.Invite();
        await server.EnrolAsync(used, "a");
        Assert.Contains("ask for another", await RefusalAsync(server, used, "b"), StringComparison.Ordinal);
        var revoked = server.Invite();
        server.Desk.Revoke(revoked.Id);
        Assert.Contains("taken back", await RefusalAsync(server, revoked, "b"), StringComparison.Ordinal);
        Assert.Contains("no such invite", await RefusalAsync(server, server.Invite() with { Id = "00000000ffffffff" }, "b"), StringComparison.Ordinal);
        var skewed = server.Invite();
        Assert.Contains("clock", (await Assert.ThrowsAsync<UserErrorException>(() => server.EnrolAsync(skewed, "b", new Shifted(TimeSpan.FromHours(2))))).Message, StringComparison.Ordinal);
        Assert.Contains("Set the clock", (await Assert.ThrowsAsync<UserErrorException>(() => server.EnrolAsync(skewed, "b", new Shifted(TimeSpan.FromMinutes(40))))).Message, StringComparison.Ordinal);
        using var key = DeviceKey.LoadOrCreate(server.In("b/device.key"));
        server.Desk.Decide(key.Device, true, [], "b");
        Assert.Contains("readmit", await RefusalAsync(server, skewed, "b"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_shows_its_secret_to_no_server_but_the_one_of_its_invite()
    {
        await using var ours = await EnrolmentServer.StartAsync();
        await using var foreign = await EnrolmentServer.StartAsync();

        // Another cluster's server, the right server under another authority's name, and a member that passes for the gateway.
        var invite = ours.Invite();
        Assert.Contains("not trusted", await RefusalAsync(ours, invite with { Addresses = [foreign.Address] }, "a"), StringComparison.Ordinal);
        Assert.Contains("another cluster", await RefusalAsync(ours, invite with { Authority = new string('0', 64) }, "a"), StringComparison.Ordinal);
        await foreign.EnrolAsync(foreign.Invite(), "member");
        Assert.Contains("not trusted", await RefusalAsync(ours, invite with { Server = foreign.Identity.Certificate.Fingerprint }, "a"), StringComparison.Ordinal);
        Assert.Equal(InviteState.Open, ours.Desk.Invites.Single().State);

        // An address where nobody is only costs time.
        await ours.EnrolAsync(invite with { Addresses = ["127.0.0.1:1", ours.Address] }, "a");
        var error = await Assert.ThrowsAsync<UserErrorException>(() => ours.EnrolAsync(ours.Invite() with { Addresses = ["127.0.0.1:1"] }, "b"));
        Assert.Equal(ExitCodes.NotReachable, error.ExitCode);
    }

    [Fact]
    public async Task A_server_of_the_same_authority_but_another_key_is_not_believed()
    {
        await using var server = await EnrolmentServer.StartAsync();
        await server.EnrolAsync(server.Invite(), "member");
        using var member = NodeCertificate.Load(JoinedCluster.Folder(server.In("member"), server.Desk.AuthorityFingerprint));
        var error = await RefusalAsync(server, server.Invite() with { Server = member.Fingerprint }, "a");
        Assert.Contains("not the node that made the invite", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_hears_that_it_was_evicted_and_that_it_was_readmitted()
    {
        await using var server = await EnrolmentServer.StartAsync();
        var joined = await server.EnrolAsync(server.Invite(), "a");
        using var key = DeviceKey.LoadOrCreate(server.In("a/device.key"));
        Assert.Null(await EnrolmentClient.EvictedAsync(joined, key.Device, CancellationToken.None));
        server.Desk.Decide(key.Device, true, [], "a");
        Assert.NotNull(await EnrolmentClient.EvictedAsync(joined, key.Device, CancellationToken.None));
        Assert.Null(await EnrolmentClient.EvictedAsync(joined with { Server = new string('0', 64) }, key.Device, CancellationToken.None));
        server.Desk.Decide(key.Device, false, [], "a");
        Assert.Null(await EnrolmentClient.EvictedAsync(joined, key.Device, CancellationToken.None));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"invite":"a","secret":"!","signingRequest":"","deviceKey":"","proof":"","name":"a","time":"2026-01-01T00:00:00Z"}""")]
    [InlineData("""{"invite":"a","secret":"","signingRequest":"","deviceKey":"","proof":"","name":" ","time":"2026-01-01T00:00:00Z"}""")]
    [InlineData("""{"invite":"a","secret":"","signingRequest":"","deviceKey":"","proof":"","name":"a","time":"2026-01-01T00:00:00Z"}""")]
    [InlineData("""{"invite":"a","secret":"","signingRequest":"","deviceKey":"","proof":"","name":"a","time":"yesterday"}""")]
    public async Task A_request_without_sense_is_refused(string body)
    {
        await using var server = await EnrolmentServer.StartAsync();
        using var http = Trusting(server);
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri("efedllm/v1/enrol", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.NotEmpty((await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("message").GetString()!);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_not_read_and_nothing_else_is_served()
    {
        await using var server = await EnrolmentServer.StartAsync();
        using var http = Trusting(server);
        using var content = new ByteArrayContent(new byte[EnrolmentHost.MostBodyBytes + 1]);
        using var response = await http.PostAsync(new Uri("efedllm/v1/enrol", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        foreach (var path in new[] { "/", "/v1/models", "/efedllm/v1/cluster", "/efedllm/v1/invites", "/health/live" })
        {
            using var other = await http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
        }

        using var standing = await http.GetAsync(new Uri("/efedllm/v1/standing/nobody", UriKind.Relative));
        Assert.Equal(HttpStatusCode.BadRequest, standing.StatusCode);
    }

    [Fact]
    public async Task Whoever_guesses_secrets_is_told_to_wait()
    {
        await using var server = await EnrolmentServer.StartAsync();
        var invite = server.Invite();
        var wrong = invite with { Secret = [.. new byte[InviteToken.SecretBytes]] };
        var refusals = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            refusals.Add(await RefusalAsync(server, wrong, "a"));
        }

        Assert.All(refusals.Take(10), refusal => Assert.Contains("no such invite", refusal, StringComparison.Ordinal));
        Assert.All(refusals.Skip(10), refusal => Assert.Contains("wait a minute", refusal, StringComparison.Ordinal));
    }

    private static async Task<string> RefusalAsync(EnrolmentServer server, InviteToken invite, string device)
        => (await Assert.ThrowsAsync<UserErrorException>(() => server.EnrolAsync(invite, device))).Message;

    private static HttpClient Trusting(EnrolmentServer server)
    {
        var pin = server.Identity.Certificate.Fingerprint;
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, peer, _, _) =>
            peer is System.Security.Cryptography.X509Certificates.X509Certificate2 certificate && CertificateRules.Fingerprint(certificate) == pin;
        return new HttpClient(handler) { BaseAddress = new Uri($"https://{server.Address}/") };
    }

    private sealed class Shifted(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
