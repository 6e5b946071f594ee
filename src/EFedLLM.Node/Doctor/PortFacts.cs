using System.Net;
using System.Net.Sockets;
using EFedLLM.Actors.Configuration;

namespace EFedLLM.Node.Doctor;

/// <summary>What was measured of an address to listen on.</summary>
/// <param name="Check">The check's name.</param>
/// <param name="Host">The host.</param>
/// <param name="Port">The port; 0 is any free one.</param>
/// <param name="Error">Why nobody can listen there, or null.</param>
internal sealed record PortFacts(string Check, string Host, int Port, SocketError? Error)
{
    /// <summary>Listens for a moment.</summary>
    /// <param name="check">The check's name.</param>
    /// <param name="host">The host.</param>
    /// <param name="port">The port.</param>
    /// <param name="cancellation">Gives up on a name that is not found.</param>
    public static async Task<PortFacts> MeasureAsync(string check, string host, int port, CancellationToken cancellation)
    {
        try
        {
            var address = IPAddress.TryParse(host, out var known) ? known : (await Dns.GetHostAddressesAsync(host, cancellation)).FirstOrDefault() ?? IPAddress.Loopback;
            using var listener = new TcpListener(address, port);
            listener.Start();
            return new PortFacts(check, host, port, null);
        }
        catch (SocketException error)
        {
            return new PortFacts(check, host, port, error.SocketErrorCode);
        }
    }

    /// <summary>What it comes to. Pure.</summary>
    /// <param name="tls">Whether the node has certificates.</param>
    /// <param name="addresses">This machine's own addresses.</param>
    public Finding Judge(bool tls, IReadOnlyList<string> addresses)
    {
        var at = $"{Host}, {(Port == 0 ? "any free port" : $"port {Port}")}";
        var own = addresses.Count == 0 ? "This machine has none but its own loopback." : $"This machine has {string.Join(", ", addresses)}.";
        return Error switch
        {
            null when !tls && !BindRules.IsLoopback(Host) => Finding.Bad(Check, at, "Listening for other machines needs certificates: make them with \"efedllm cert\", and name their folder with --cert."),
            null => Finding.Good(Check, $"{at}: free"),
            SocketError.AddressAlreadyInUse => Finding.Bad(Check, $"{at}: another program listens there", "End it, or choose another port: 0 is any free one."),
            SocketError.AddressNotAvailable => Finding.Bad(Check, $"{Host} is no address of this machine", own),
            SocketError.AccessDenied => Finding.Bad(Check, $"{at}: not allowed", "Choose a port above 1023."),
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => Finding.Bad(Check, $"the name {Host} is not known here", own),
            var error => Finding.Bad(Check, $"{at}: {error}", own),
        };
    }
}
