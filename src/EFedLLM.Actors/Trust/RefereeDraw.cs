using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Trust;

/// <summary>
/// Who settles a dispute: up to <see cref="TrustSettings.Referees"/> devices at random, repeatable like <see cref="VerifierDraw"/>. Owners are
/// drawn and then one device of each, so that many devices of one owner have one chance and one vote. Whoever checked the device before may
/// be among them: they do not judge alone, and there are few enough.
/// </summary>
public static class RefereeDraw
{
    /// <summary>Draws referees among those that hold what is disputed and have no part in it: neither the device nor the verifier, nor others of their owners.</summary>
    /// <param name="seed">What decides: it must not be known before the verdict that is disputed.</param>
    /// <param name="subject">What was checked.</param>
    /// <param name="verifier">Who checked it.</param>
    /// <param name="verifierOwner">Whose that is, or null where nobody says.</param>
    /// <param name="candidates">Devices with ranges of the same model, in any order.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The referees in the order of the draw, an odd number of them so that they cannot be even; none when nobody is fit.</returns>
    public static ImmutableArray<DeviceId> Choose(
        Digest seed, CheckedDevice subject, DeviceId verifier, string? verifierOwner, IEnumerable<VerifierCandidate> candidates, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(settings);
        var owners = DrawRules.Fit(subject, candidates)
            .Where(candidate => candidate.Device != verifier && !DrawRules.AreOfOneOwner(candidate.Owner, verifierOwner))

            // An owner's name may look like an id; the two are kept apart.
            .GroupBy(candidate => candidate.Owner is { } owner ? $"owner {owner}" : candidate.Device.Value, StringComparer.Ordinal)
            .OrderBy(owner => owner.Key, StringComparer.Ordinal)
            .Select(owner => owner.ToArray())
            .ToList();
        var number = Math.Min(settings.Referees, owners.Count);
        number -= number > 0 && number % 2 == 0 ? 1 : 0;
        var referees = ImmutableArray.CreateBuilder<DeviceId>(number);
        for (var i = 0; i < number; i++)
        {
            var place = DrawnShare.Index(PurposeHash.Of("efedllm referee owner 1"u8, seed, new Digest(0, 0, 0, (ulong)i)), owners.Count);
            var devices = owners[place];
            owners.RemoveAt(place);
            referees.Add(devices[DrawnShare.Index(PurposeHash.Of("efedllm referee device 1"u8, seed, new Digest(0, 0, 0, (ulong)i)), devices.Length)].Device);
        }

        return referees.MoveToImmutable();
    }
}
