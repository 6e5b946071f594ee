using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Placement;

/// <summary>Since when nodes do not answer, and so which devices are planned without: long before they are given up as members.</summary>
/// <param name="patience">How long a node may be silent.</param>
internal sealed class MissingNodes(TimeSpan patience)
{
    private readonly Dictionary<Address, TimeSpan> _since = [];

    /// <summary>Takes note of who answers.</summary>
    /// <param name="view">The cluster.</param>
    /// <param name="now">The time, on any clock that only grows.</param>
    public void Look(ClusterView view, TimeSpan now)
    {
        var silent = view.Members.Where(member => !member.Reachable).Select(member => member.Address).ToHashSet();
        foreach (var back in _since.Keys.Where(node => !silent.Contains(node)).ToArray())
        {
            _since.Remove(back);
        }

        foreach (var node in silent)
        {
            _since.TryAdd(node, now);
        }
    }

    /// <summary>The view without the devices that are missing.</summary>
    public ClusterView Without(ClusterView view, TimeSpan now)
        => view with { Devices = [.. view.Devices.Where(device => !(_since.TryGetValue(device.Node, out var since) && now - since >= patience))] };

    /// <summary>How long until the next silent node is missing, or null when no other one is silent.</summary>
    public TimeSpan? Next(TimeSpan now)
    {
        var waiting = _since.Values.Where(since => now - since < patience).ToArray();
        return waiting.Length == 0 ? null : waiting.Min() + patience - now;
    }
}
