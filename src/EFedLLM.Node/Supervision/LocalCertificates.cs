using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.Supervision;

/// <summary>The certificates of nodes that run beside their authority: made when they are first needed, and again before they end.</summary>
internal static class LocalCertificates
{
    private const int Days = 825;

    private static readonly TimeSpan Remaining = TimeSpan.FromDays(30);

    /// <summary>The authority in a folder, made where there is none.</summary>
    public static CertificateAuthority Authority(string folder, out bool made)
    {
        made = !File.Exists(Path.Combine(folder, CertificateAuthority.KeyFile)) && !File.Exists(Path.Combine(folder, CertificateAuthority.CertificateFile));
        return made ? CertificateAuthority.Create(folder, "EFedLLM cluster", TimeSpan.FromDays(3650)) : CertificateAuthority.Load(folder);
    }

    /// <summary>Sees to it that a folder has a certificate of the authority that lasts.</summary>
    /// <param name="authority">The authority.</param>
    /// <param name="folder">The node's certificate folder.</param>
    /// <param name="name">The node's name.</param>
    /// <param name="hosts">Host names and addresses of the node.</param>
    /// <param name="device">The device that the node is, or null.</param>
    /// <param name="owner">Whose the node is, or null.</param>
    /// <param name="time">The clock.</param>
    public static void Ensure(CertificateAuthority authority, string folder, string name, IReadOnlyCollection<string> hosts, DeviceId? device, string? owner, TimeProvider time)
    {
        if (Lasts(authority, folder, device, owner, time))
        {
            return;
        }

        File.Delete(Path.Combine(EnsureFolder(folder), NodeCertificate.KeyFile));
        authority.Issue(folder, name, hosts, TimeSpan.FromDays(Days), device, owner);
    }

    private static string EnsureFolder(string folder) => Directory.CreateDirectory(folder).FullName;

    private static bool Lasts(CertificateAuthority authority, string folder, DeviceId? device, string? owner, TimeProvider time)
    {
        try
        {
            using var certificate = NodeCertificate.Load(folder);
            return certificate.AuthorityFingerprint == authority.Fingerprint
                && certificate.Device == device
                && certificate.Owner == owner
                && certificate.Certificate.NotAfter - time.GetLocalNow().DateTime > Remaining;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
