using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Trust;

/// <summary>Who checks a unit: one device at random. Whoever knows the seed and the candidates can repeat the draw.</summary>
public static class VerifierDraw
{
    /// <summary>
    /// So many that have proven themselves check without newcomers: else whoever brings a hundred new identities has his own check one
    /// another. Fewer do not: one that proved itself first would check all that its friends do.
    /// </summary>
    public const int EnoughProven = 3;

    /// <summary>Draws a verifier among those that hold what is checked, not the device itself or another of its owner, in no quarantine and not excluded, and where <see cref="EnoughProven"/> are proven, one of those.</summary>
    /// <param name="seed">What decides: see <see cref="AuditDraw.Seed"/>.</param>
    /// <param name="subject">What is checked.</param>
    /// <param name="candidates">Devices with ranges of the same model, in any order.</param>
    /// <param name="latest">Who checked the device's latest units, oldest first. The last <see cref="TrustSettings.VerifierGap"/> of them do it again only when nobody else can.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The verifier, or null when nobody is fit.</returns>
    public static DrawnVerifier? Choose(
        Digest seed, CheckedDevice subject, IEnumerable<VerifierCandidate> candidates, IReadOnlyList<DeviceId> latest, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(latest);
        ArgumentNullException.ThrowIfNull(settings);
        var fit = DrawRules.Fit(subject, candidates);
        var proven = fit.RemoveAll(candidate => !candidate.IsProven);
        fit = proven.Length >= EnoughProven ? proven : fit;
        var recent = latest.TakeLast(settings.VerifierGap).ToHashSet();
        var fresh = fit.RemoveAll(candidate => recent.Contains(candidate.Device));
        var drawn = fresh.IsEmpty ? fit : fresh;
        return drawn.IsEmpty
            ? null
            : new DrawnVerifier(drawn[DrawnShare.Index(PurposeHash.Of("efedllm verifier 1"u8, seed), drawn.Length)].Device, fresh.IsEmpty);
    }
}
