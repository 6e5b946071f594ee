using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Pipeline;

/// <summary>Finds the shards a session goes through. A pure function: every node that sees the same facts finds the same route.</summary>
public static class RoutePlanner
{
    /// <summary>A device that leaves still serves, but any number of ranges that nobody planned is better than one of its.</summary>
    private const int LeavingCost = ProtocolLimits.Hops;

    /// <summary>
    /// The best route through ranges that reachable devices serve: fewest devices that leave, then fewest ranges that the plan does not
    /// want, then fewest hops, then the lowest device ids. A loaded range is used whole or not at all.
    /// </summary>
    /// <param name="view">The cluster.</param>
    /// <param name="model">The model.</param>
    /// <param name="avoid">Devices to leave out, or null.</param>
    public static RouteChoice Plan(ClusterView view, ServedModel model, IReadOnlySet<DeviceId>? avoid = null)
        => Plan(view, model, [], hop => avoid?.Contains(hop.Device) != true);

    /// <summary>
    /// The best route for a session that has one: with the fewest units on other shards than it has its caches on, and else as
    /// <see cref="Plan(ClusterView, ServedModel, IReadOnlySet{DeviceId})"/> finds it.
    /// </summary>
    /// <param name="view">The cluster.</param>
    /// <param name="model">The model.</param>
    /// <param name="kept">The hops that have caches of it. They may be used even where they take nothing new any more.</param>
    /// <param name="may">Which others may be used.</param>
    public static RouteChoice Plan(ClusterView view, ServedModel model, IReadOnlyCollection<Hop> kept, Func<Hop, bool> may)
    {
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(kept);
        ArgumentNullException.ThrowIfNull(may);
        var units = model.UnitBytes.Length;
        var plan = view.Plans.FirstOrDefault(plan => plan.Model == model.Model);
        var offers = Offers(view, model, plan, kept, may);

        // best[u]: the best way from unit u to the end.
        var best = new Way?[units + 1];
        best[units] = new Way(0, 0, 0, null, null);
        for (var unit = units - 1; unit >= 0; unit--)
        {
            foreach (var (hop, cost, isKept) in offers[unit])
            {
                if (best[hop.Range.End] is { } rest)
                {
                    var way = new Way(rest.New + (isKept ? 0 : hop.Range.Count), rest.Strangers + cost, rest.Hops + 1, hop, rest);
                    best[unit] = best[unit] is { } other && other.IsAtLeastAsGoodAs(way) ? other : way;
                }
            }
        }

        if (best[0] is not { } whole || whole.Hops > ProtocolLimits.Hops)
        {
            return new RouteChoice(null, Problem(model, plan, offers, best[0] is not null));
        }

        var hops = ImmutableArray.CreateBuilder<Hop>(whole.Hops);
        for (var way = whole; way?.Hop is { } hop; way = way.Rest)
        {
            hops.Add(hop);
        }

        return new RouteChoice(new Route(model.Model, hops.ToImmutable()), null);
    }

    /// <summary>What may be used, by first unit; of equal ranges the plan's before others, then the lower device id.</summary>
    private static List<Offer>[] Offers(ClusterView view, ServedModel model, PlacementPlan? plan, IReadOnlyCollection<Hop> kept, Func<Hop, bool> may)
    {
        var planned = plan?.Assignments.Select(assignment => (assignment.Device, assignment.Range)).ToHashSet() ?? [];
        var offers = new List<Offer>[model.UnitBytes.Length];
        for (var unit = 0; unit < offers.Length; unit++)
        {
            offers[unit] = [];
        }

        foreach (var hop in kept)
        {
            offers[hop.Range.First].Add(new Offer(hop, planned.Contains((hop.Device, hop.Range)) ? 0 : 1, true));
        }

        var reachable = view.Members.Where(member => view.IsReachable(member.Address)).Select(member => member.Address).ToHashSet();
        var caches = kept.Select(hop => hop.Shard).ToHashSet();
        foreach (var device in view.Devices.OrderBy(device => device.Device.Value, StringComparer.Ordinal))
        {
            if (!reachable.Contains(device.Node))
            {
                continue;
            }

            foreach (var loaded in device.Loaded.Where(loaded => loaded.Model == model.Model && loaded.Range.IsValid(model.Layers)))
            {
                var hop = new Hop(device.Device, loaded.Range, loaded.Shard);
                if (!caches.Contains(loaded.Shard) && may(hop))
                {
                    offers[loaded.Range.First].Add(new Offer(hop, device.Leaving ? LeavingCost : planned.Contains((device.Device, loaded.Range)) ? 0 : 1, false));
                }
            }
        }

        return offers;
    }

    private static string Problem(ServedModel model, PlacementPlan? plan, List<Offer>[] offers, bool isTooLong)
    {
        var why = plan switch
        {
            null => " There is no placement plan yet.",
            { Problem: { } problem } => $" {problem}",
            _ => "",
        };
        if (isTooLong)
        {
            return $"The shortest route through {model.Name} has more than {ProtocolLimits.Hops} hops.{why}";
        }

        var missing = Missing(offers);
        return missing.Count == 0
            ? $"Devices serve every layer of {model.Name}, but their ranges do not join.{why}"
            : $"No reachable device serves {string.Join(" or ", missing.Select(range => range.Describe(model.Layers)))} of {model.Name}.{why}";
    }

    private static List<LayerRange> Missing(List<Offer>[] offers)
    {
        var missing = new List<LayerRange>();
        var covered = 0;
        for (var unit = 0; unit < offers.Length; unit++)
        {
            covered = offers[unit].Aggregate(covered, (end, offer) => Math.Max(end, offer.Hop.Range.End));
            if (covered > unit)
            {
                continue;
            }

            if (missing.Count > 0 && missing[^1].End == unit)
            {
                missing[^1] = new LayerRange(missing[^1].First, unit + 1);
            }
            else
            {
                missing.Add(new LayerRange(unit, unit + 1));
            }
        }

        return missing;
    }

    private readonly record struct Offer(Hop Hop, int Cost, bool IsKept);

    private sealed record Way(int New, int Strangers, int Hops, Hop? Hop, Way? Rest)
    {
        public bool IsAtLeastAsGoodAs(Way other) => (New, Strangers, Hops).CompareTo((other.New, other.Strangers, other.Hops)) <= 0;
    }
}
