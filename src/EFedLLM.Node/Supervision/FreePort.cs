using System.Net;
using System.Net.Sockets;

namespace EFedLLM.Node.Supervision;

/// <summary>Finds a port for the one node whose address all others must know before it runs.</summary>
internal static class FreePort
{
    /// <summary>A TCP port of the loopback interface that is free now.</summary>
    public static int Find()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Whether a port of the loopback interface is free now.</summary>
    public static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
