using System.Net;
using System.Net.Sockets;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Client;

/// <summary>Finds the address under which another machine reaches this one.</summary>
internal static class LocalAddress
{
    /// <summary>The address of this machine that faces another; nothing is sent to find it.</summary>
    /// <param name="other">The other machine.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">No network leads there.</exception>
    public static async Task<string> TowardsAsync(HostPort other, CancellationToken cancellation)
    {
        try
        {
            var address = IPAddress.TryParse(other.Host, out var parsed) ? parsed : (await Dns.GetHostAddressesAsync(other.Host, cancellation))[0];
            using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            await socket.ConnectAsync(new IPEndPoint(address, other.Port), cancellation);
            return ((IPEndPoint)socket.LocalEndPoint!).Address.ToString();
        }
        catch (SocketException error)
        {
            throw new UserErrorException($"No network leads from here to {other}: {error.Message} Name this machine's address with --host.", ExitCodes.NotReachable, error);
        }
    }
}
