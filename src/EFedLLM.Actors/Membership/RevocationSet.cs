using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>
/// The latest decision about each device. Immutable, and a join semilattice: decisions may come in any order and any number of times, and
/// the set is the same. What it holds was signed by the authority.
/// </summary>
public sealed class RevocationSet
{
    private readonly ImmutableDictionary<DeviceId, (Revocation Decision, SignedRevocation Signed)> _latest;
    private readonly ImmutableDictionary<string, Revocation> _keys;

    private RevocationSet(ImmutableDictionary<DeviceId, (Revocation Decision, SignedRevocation Signed)> latest)
    {
        _latest = latest;
        _keys = latest.Values.Where(entry => entry.Decision.Revoked)
            .SelectMany(entry => entry.Decision.Keys.AsEnumerable().Select(key => KeyValuePair.Create(key, entry.Decision)))
            .DistinctBy(entry => entry.Key)
            .ToImmutableDictionary();
        Version = latest.IsEmpty ? 0 : latest.Values.Max(entry => entry.Decision.Version);
        Evicted = [.. latest.Values.Select(entry => entry.Decision).Where(decision => decision.Revoked).OrderBy(decision => decision.Version)];
        Signed = [.. latest.Values.OrderBy(entry => entry.Decision.Version).Select(entry => entry.Signed)];
    }

    /// <summary>Nobody is kept out.</summary>
    public static RevocationSet Empty { get; } = new(ImmutableDictionary<DeviceId, (Revocation Decision, SignedRevocation Signed)>.Empty);

    /// <summary>The highest version of a decision, 0 before the first.</summary>
    public long Version { get; }

    /// <summary>The devices that are kept out, in the order of the decisions.</summary>
    public ImmutableArray<Revocation> Evicted { get; }

    /// <summary>The decisions as they were signed, those that let a device in again among them.</summary>
    public ImmutableArray<SignedRevocation> Signed { get; }

    /// <summary>The decision that keeps a device out, or null.</summary>
    public Revocation? Find(DeviceId device) => _latest.TryGetValue(device, out var entry) && entry.Decision.Revoked ? entry.Decision : null;

    /// <summary>The decision that keeps the bearer of a certificate out, or null.</summary>
    /// <param name="key">The SHA-256 of the certificate's public key, lower-case hexadecimal.</param>
    /// <param name="device">The device that the certificate names, or null.</param>
    public Revocation? Find(string key, DeviceId? device) => device is { } named && Find(named) is { } decision ? decision : _keys.GetValueOrDefault(key);

    /// <summary>The latest decision about a device as it was signed, or null.</summary>
    public SignedRevocation? SignedFor(DeviceId device) => _latest.TryGetValue(device, out var entry) ? entry.Signed : null;

    /// <summary>The set with one more decision; the same one where it changes nothing.</summary>
    internal RevocationSet With(Revocation decision, SignedRevocation signed)
    {
        // Two of one version (of two nodes that both have the authority's key): the one that keeps the device out, else either by its bytes.
        if (_latest.TryGetValue(decision.Device, out var known) && Compare(known, (decision, signed)) >= 0)
        {
            return this;
        }

        return _latest.Count < ProtocolLimits.Revocations || _latest.ContainsKey(decision.Device) ? new(_latest.SetItem(decision.Device, (decision, signed))) : this;
    }

    private static int Compare((Revocation Decision, SignedRevocation Signed) one, (Revocation Decision, SignedRevocation Signed) other)
    {
        var order = one.Decision.Version.CompareTo(other.Decision.Version);
        order = order != 0 ? order : one.Decision.Revoked.CompareTo(other.Decision.Revoked);
        order = order != 0 ? order : one.Signed.Content.Span.SequenceCompareTo(other.Signed.Content.Span);
        return order != 0 ? order : one.Signed.Signature.Span.SequenceCompareTo(other.Signed.Signature.Span);
    }
}
