using System.Net.Sockets;
using Akka.Actor;

namespace EFedLLM.Actors.Placement;

/// <summary>Finds out whether anybody listens on a node's port.</summary>
internal static class PortProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Connects and hangs up. It takes a second at most.</summary>
    /// <param name="node">The node's address, with host and port.</param>
    public static async Task<ProbeOutcome> TryAsync(Address node)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(node.Host!.Trim('[', ']'), node.Port!.Value, patience.Token).ConfigureAwait(false);
            return ProbeOutcome.Open;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused ? ProbeOutcome.Refused : ProbeOutcome.Silent;
        }
        catch (OperationCanceledException)
        {
            return ProbeOutcome.Silent;
        }
    }
}
