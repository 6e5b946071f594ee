using System.Security.Cryptography.X509Certificates;

namespace EFedLLM.Node.Http;

/// <summary>Where the HTTP interface listens.</summary>
/// <param name="Host">An address of this machine, or <c>localhost</c>.</param>
/// <param name="Port">TCP port; 0 is any free one.</param>
/// <param name="Certificate">Serves HTTPS with it; null is plain HTTP, which is for loopback alone.</param>
internal sealed record HttpHostSettings(string Host, int Port, X509Certificate2? Certificate = null);
