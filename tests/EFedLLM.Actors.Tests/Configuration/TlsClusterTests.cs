using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using Akka.Actor;
using Akka.Event;

namespace EFedLLM.Actors.Tests.Configuration;

public sealed class TlsClusterTests : IDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-tls-").FullName;

    public TlsClusterTests()
    {
        using var ours = CertificateAuthority.Create(In("ca"), "ours", Day);
        ours.Issue(In("a"), "a", ["127.0.0.1"], Day);
        ours.Issue(In("b"), "b", [], Day);
        using var theirs = CertificateAuthority.Create(In("other"), "ours", Day);
        theirs.Issue(In("x"), "b", [], Day);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Nodes_with_certificates_of_one_authority_form_a_cluster()
    {
        await using var first = TestNode.Start(null, In("a"), null, ClusterNames.Anchor);
        await using var second = TestNode.Start(first, In("b"), null, ClusterNames.Device);
        Assert.Equal("akka.ssl.tcp", first.Address.Protocol);
        await Task.WhenAll(first.UpAsync(2), second.UpAsync(2));
    }

    [Fact]
    public async Task A_node_with_a_foreign_certificate_stays_outside_while_ours_come_in()
    {
        await using var first = TestNode.Start(null, In("a"), null, ClusterNames.Anchor);
        await first.UpAsync(1);
        var log = first.Log();
        await using var foreign = TestNode.Start(first, In("x"), null, ClusterNames.Device);
        await log.FirstAsync<LogEvent>(entry => entry.ToString()!.Contains("Refused a TLS connection", StringComparison.Ordinal));

        await using var second = TestNode.Start(first, In("b"), null, ClusterNames.Device);
        await Task.WhenAll(first.UpAsync(2), second.UpAsync(2));
        Assert.DoesNotContain(first.Cluster.State.Members, member => member.Address == foreign.Address);
        Assert.Empty(foreign.Cluster.State.Members);
    }

    [Fact]
    public async Task A_node_that_trusts_anybody_but_shows_a_foreign_certificate_is_refused_by_the_server()
    {
        await using var first = TestNode.Start(null, In("a"), null, ClusterNames.Anchor);
        await first.UpAsync(1);
        var log = first.Log();
        var refused = log.FirstAsync<LogEvent>(entry => entry.ToString()!.Contains("Refused a TLS connection", StringComparison.Ordinal));
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", first.Address.Port!.Value);
        using var foreign = NodeCertificate.Load(In("x"));
        await using var tls = new System.Net.Security.SslStream(client.GetStream());
        var error = await Record.ExceptionAsync(async () =>
        {
            await tls.AuthenticateAsClientAsync(new System.Net.Security.SslClientAuthenticationOptions
            {
                TargetHost = "127.0.0.1",
                ClientCertificates = [foreign.Certificate],
#pragma warning disable CA5359 // An attacker does not check.
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
            });
            await ReadToEndAsync(tls);
        });
        await refused;
        Assert.True(error is null or IOException or System.Security.Authentication.AuthenticationException, $"{error}");
    }

    [Fact]
    public async Task A_peer_without_a_certificate_or_without_TLS_gets_no_word()
    {
        await using var first = TestNode.Start(null, In("a"), null, ClusterNames.Anchor);
        await first.UpAsync(1);
        foreach (var withTls in new[] { true, false })
        {
            using var client = new System.Net.Sockets.TcpClient();
            await client.ConnectAsync("127.0.0.1", first.Address.Port!.Value);
            var got = 0;
            var error = await Record.ExceptionAsync(async () =>
            {
                if (withTls)
                {
                    await using var tls = new System.Net.Security.SslStream(client.GetStream());
                    await tls.AuthenticateAsClientAsync(new System.Net.Security.SslClientAuthenticationOptions
                    {
                        TargetHost = "127.0.0.1",
#pragma warning disable CA5359 // An attacker does not check.
                        RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
                    });
                    got = await ReadToEndAsync(tls);
                }
                else
                {
                    var stream = client.GetStream();
                    await stream.WriteAsync(new byte[] { 4, 0, 0, 0, 1, 2, 3, 4 });
                    got = await ReadToEndAsync(stream);
                }
            });
            Assert.True(error is null or IOException or System.Security.Authentication.AuthenticationException, $"{error}");
            Assert.InRange(got, 0, 64);
        }

        await using var second = TestNode.Start(first, In("b"), null, ClusterNames.Device);
        await first.UpAsync(2);
        Assert.Equal(2, first.Cluster.State.Members.Count);
    }

    private static async Task<int> ReadToEndAsync(Stream stream)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        var buffer = new byte[256];
        for (var total = 0; ;)
        {
            var read = await stream.ReadAsync(buffer, patience.Token);
            if (read == 0)
            {
                return total;
            }

            total += read;
        }
    }

    private string In(string name) => Path.Combine(_folder, name);
}
