using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.Hosting;

/// <summary>What is taken out with a device. An announcement is the device's own word: it must not serve to take out an anchor, or another device's node.</summary>
/// <param name="Nodes">Nodes to be taken out.</param>
/// <param name="Doubtful">Nodes that the device claims and somebody else is at: they stay.</param>
/// <param name="IsSelf">Whether the device is the node that looks, which cannot evict itself.</param>
internal sealed record EvictionTargets(IReadOnlyList<Address> Nodes, IReadOnlyList<Address> Doubtful, bool IsSelf)
{
    private const int LeastDigits = 4;
    private const int IdDigits = 32;

    /// <summary>The targets of a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="own">The device that the looking node is, or null.</param>
    /// <param name="view">The cluster as the node sees it.</param>
    public static EvictionTargets Of(DeviceId device, DeviceId? own, ClusterView view)
    {
        var claimed = view.Devices.Where(one => one.Device == device).Select(one => one.Node).Distinct().ToList();
        var doubtful = claimed.Where(node => node.Equals(view.Self)
            || view.Devices.Any(other => other.Device != device && other.Node.Equals(node))
            || view.Members.Any(member => member.Address.Equals(node) && member.Roles.Contains(ClusterNames.Anchor))).ToList();
        return new EvictionTargets([.. claimed.Except(doubtful)], doubtful, own == device);
    }

    /// <summary>The devices that a person means by an id, the beginning of one, or a name; at most two, because two are too many.</summary>
    /// <param name="text">What the person typed.</param>
    /// <param name="known">The devices that are known, with their names.</param>
    public static IReadOnlyList<(DeviceId Device, string Name)> Meant(string text, IEnumerable<(DeviceId Device, string Name)> known)
    {
        var lower = text.ToLowerInvariant();
        var isId = lower.Length is >= LeastDigits and <= IdDigits && lower.All(char.IsAsciiHexDigit);
        var matching = known.Where(one => one.Name == text || (isId && one.Device.Value.StartsWith(lower, StringComparison.Ordinal))).DistinctBy(one => one.Device).Take(2).ToList();
        return matching.Count == 0 && isId && lower.Length == IdDigits ? [(new DeviceId(lower), "")] : matching;
    }
}
