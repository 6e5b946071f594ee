using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;

namespace EFedLLM.Node.Http;

/// <summary>Where and how a device gives model files.</summary>
/// <param name="Host">An address or host name of this machine.</param>
/// <param name="Limits">The port, and what is given at a time.</param>
/// <param name="Certificate">Mutual TLS with it; null is plain HTTP, which is for loopback alone. It must outlive the server.</param>
internal sealed record BlobHostSettings(string Host, BlobLimits Limits, NodeCertificate? Certificate = null);
