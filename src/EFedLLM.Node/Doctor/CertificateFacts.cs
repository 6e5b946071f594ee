using EFedLLM.Actors.Identity;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.Doctor;

/// <summary>What was measured of this machine's certificate.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Problem">Why it cannot be used at all; null where it can.</param>
/// <param name="KeyMode">Who may read its key; null where the system does not say.</param>
/// <param name="DaysLeft">Days until it expires.</param>
/// <param name="CoversHost">Whether it names the host under which others reach this machine.</param>
/// <param name="HasAuthorityKey">Whether the authority's key, with which anybody could issue certificates, lies in the folder too.</param>
internal sealed record CertificateFacts(string Folder, string? Problem, UnixFileMode? KeyMode, double DaysLeft, bool CoversHost, bool HasAuthorityKey)
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    private const double SoonDays = 30;

    /// <summary>Reads a folder.</summary>
    /// <param name="folder">As <c>efedllm cert issue</c> makes it.</param>
    /// <param name="host">Host under which others reach this machine.</param>
    /// <param name="time">The clock.</param>
    public static CertificateFacts Measure(string folder, string host, TimeProvider time)
    {
        try
        {
            using var node = NodeCertificate.Load(folder);
            var key = Path.Combine(folder, NodeCertificate.KeyFile);
            return new CertificateFacts(
                folder,
                null,
                OperatingSystem.IsWindows() ? null : File.GetUnixFileMode(key),
                (node.Certificate.NotAfter.ToUniversalTime() - time.GetUtcNow().UtcDateTime).TotalDays,
                node.Certificate.MatchesHostname(host),
                File.Exists(Path.Combine(folder, CertificateAuthority.KeyFile)));
        }
        catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return new CertificateFacts(folder, error.Message, null, 0, false, false);
        }
    }

    /// <summary>What it comes to. Pure.</summary>
    public Finding Judge()
    {
        var left = $"valid for {Say.Count((long)DaysLeft, "day")} more";
        return this switch
        {
            { Problem: { } problem } => Finding.Bad("certificate", problem, "Make one on the authority's machine: efedllm cert issue <folder> --ca <authority> --host <this machine>."),
            { KeyMode: { } mode } when (mode & Others) != 0 => Finding.Bad(
                "certificate", $"others may read or change {Path.Combine(Folder, NodeCertificate.KeyFile)}", $"chmod 600 {Path.Combine(Folder, NodeCertificate.KeyFile)}"),
            { HasAuthorityKey: true } => Finding.Doubtful(
                "certificate", "the authority's key lies in the folder too", "Whoever reads it can let anybody in: keep it on a machine of its own."),
            { DaysLeft: < SoonDays } => Finding.Doubtful("certificate", left, "Issue another one before it ends: efedllm cert issue."),
            { CoversHost: false } => Finding.Doubtful("certificate", $"{left}, but it does not name the host others reach", "Clients of an HTTPS interface here will refuse it: issue one with --host <this machine>."),
            _ => Finding.Good("certificate", left),
        };
    }
}
