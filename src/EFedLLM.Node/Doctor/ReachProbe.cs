using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using EFedLLM.Actors.Identity;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Doctor;

/// <summary>Connects to another node as this one would.</summary>
internal static class ReachProbe
{
    /// <summary>Connects, shakes hands where there are certificates, and hangs up.</summary>
    /// <param name="node">The node.</param>
    /// <param name="own">This machine's certificate, or null.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<ReachFacts> MeasureAsync(HostPort node, NodeCertificate? own, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(node.Host, node.Port, cancellation);
        }
        catch (SocketException error)
        {
            return new ReachFacts(node, Outcome(error.SocketErrorCode), clock.Elapsed.TotalMilliseconds, error.Message);
        }
        catch (OperationCanceledException)
        {
            return new ReachFacts(node, ReachOutcome.Silent, clock.Elapsed.TotalMilliseconds, "within the time of the check");
        }

        var connected = clock.Elapsed.TotalMilliseconds;
        return own is null ? new ReachFacts(node, ReachOutcome.Connected, connected) : await ShakeHandsAsync(node, client, own, connected, cancellation);
    }

    private static async Task<ReachFacts> ShakeHandsAsync(HostPort node, TcpClient client, NodeCertificate own, double connected, CancellationToken cancellation)
    {
        string? reason = null;
        await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false);
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = node.Host,
                    ClientCertificates = [own.Certificate],
                    RemoteCertificateValidationCallback = (_, peer, _, _) => (reason = own.Reject(peer as System.Security.Cryptography.X509Certificates.X509Certificate2)) is null,
                },
                cancellation);
            return new ReachFacts(node, ReachOutcome.Connected, connected);
        }
        catch (Exception error) when (error is AuthenticationException or IOException or OperationCanceledException)
        {
            return reason is null
                ? new ReachFacts(node, ReachOutcome.NoTls, connected, error is OperationCanceledException ? "it does not answer" : error.Message)
                : new ReachFacts(node, ReachOutcome.Distrusted, connected, reason);
        }
    }

    private static ReachOutcome Outcome(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => ReachOutcome.Refused,
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => ReachOutcome.UnknownName,
        _ => ReachOutcome.Silent,
    };
}
