using Akka.Actor;
using Akka.Actor.Setup;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>What a node that uses TLS is, and whom it refuses: part of its actor system's setup, so that everything on the node judges peers alike.</summary>
/// <param name="certificate">The node's certificate; it refuses those in <paramref name="revocations"/>.</param>
/// <param name="revocations">Who is kept out.</param>
public sealed class NodeIdentity(NodeCertificate certificate, RevocationStore revocations) : Setup
{
    /// <summary>The node's certificate. It lives as long as the process.</summary>
    public NodeCertificate Certificate { get; } = certificate;

    /// <summary>Who is kept out.</summary>
    public RevocationStore Revocations { get; } = revocations;

    /// <summary>The cluster of a node, as it stands in everything that is signed.</summary>
    public static ClusterId ClusterOf(ActorSystem system)
        => Of(system) is { } identity ? ClusterId.Parse(identity.Certificate.AuthorityFingerprint) : ClusterId.WithoutTls(system.Name);

    /// <summary>The identity of a node, or null where it uses no TLS.</summary>
    public static NodeIdentity? Of(ActorSystem system)
    {
        ArgumentNullException.ThrowIfNull(system);
        return system.Settings.Setup.Get<NodeIdentity>() is { HasValue: true, Value: var identity } ? identity : null;
    }

    /// <summary>Reads a node's certificate, and what it knows of revocations.</summary>
    /// <param name="certificateFolder">Where its certificate lies.</param>
    /// <param name="dataFolder">Where its revocations lie.</param>
    /// <exception cref="InvalidDataException">A file is missing or cannot be used.</exception>
    public static NodeIdentity Load(string certificateFolder, string dataFolder)
    {
        RevocationStore? revocations = null;
        var certificate = NodeCertificate.Load(certificateFolder, authority =>
        {
            revocations = RevocationStore.Open(dataFolder, authority);
            return revocations.Reject;
        });
        return new NodeIdentity(certificate, revocations!);
    }
}
