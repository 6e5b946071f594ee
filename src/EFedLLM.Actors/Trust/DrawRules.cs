using System.Collections.Immutable;

namespace EFedLLM.Actors.Trust;

/// <summary>Who may judge a device at all.</summary>
internal static class DrawRules
{
    /// <summary>
    /// The candidates that hold what is checked and are fit to judge it, each once, in the order of their ids, so that a draw from them can
    /// be repeated whatever order they were known in: not the device itself, nothing of its owner, nobody in quarantine or excluded.
    /// </summary>
    public static ImmutableArray<VerifierCandidate> Fit(CheckedDevice subject, IEnumerable<VerifierCandidate> candidates) =>
    [
        .. candidates
            .Where(candidate => candidate.Device != subject.Device
                && !AreOfOneOwner(candidate.Owner, subject.Owner)
                && candidate.Tier is TrustTier.Probation or TrustTier.Junior or TrustTier.Full
                && candidate.Held.First <= subject.Range.First && candidate.Held.End >= subject.Range.End)
            .DistinctBy(candidate => candidate.Device)
            .OrderBy(candidate => candidate.Device.Value, StringComparer.Ordinal),
    ];

    /// <summary>Whether two devices are known to be one owner's. A device whose owner nobody names is nobody else's.</summary>
    public static bool AreOfOneOwner(string? one, string? other) => one is not null && string.Equals(one, other, StringComparison.Ordinal);
}
