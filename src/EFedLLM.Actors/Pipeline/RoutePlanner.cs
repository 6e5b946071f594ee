using System.Collections.Immutable;
using Akka.Cluster;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Pipeline;

/// <summary>Finds the shards a session goes through. A pure function: every node that sees the same facts finds the same route.</summary>
public static class RoutePlanner
{
    /// <summary>A device that leaves still serves, but any number of ranges that nobody planned is better than one of its.</summary>
    private const int LeavingCost = ProtocolLimits.Hops;

    // Among so many ways to go on the nearest is looked for.
    private const int MostWays = 16;

    /// <summary>
    /// The best route through ranges that reachable devices serve and that are not excluded, nor unknown while no ledger answers: fewest units on devices that something speaks against, then fewest devices that leave, then fewest ranges that the plan does not
    /// want, then fewest hops, then the least time between them as far as devices measured it, then a share of the sessions for each
    /// replica according to its speed and to what it passed and failed lately. A loaded range is used whole or not at all. One that is
    /// streamed from disk counts like one that the plan does not want: a replica in memory is quicker.
    /// </summary>
    /// <param name="view">The cluster.</param>
    /// <param name="model">The model.</param>
    /// <param name="avoid">Devices to leave out, or null.</param>
    /// <param name="session">Whose route it is: of equal replicas each gets its share of the sessions. Null takes those that are used the most gladly, of equals the lowest device ids.</param>
    public static RouteChoice Plan(ClusterView view, ServedModel model, IReadOnlySet<DeviceId>? avoid = null, SessionId? session = null)
        => Plan(view, model, [], hop => avoid?.Contains(hop.Device) != true, session);

    /// <summary>
    /// The best route for a session that has one: with the fewest units on devices that something speaks against, then with the fewest units on other shards than it has its caches on, and else as
    /// <see cref="Plan(ClusterView, ServedModel, IReadOnlySet{DeviceId}, SessionId?)"/> finds it.
    /// </summary>
    /// <param name="view">The cluster.</param>
    /// <param name="model">The model.</param>
    /// <param name="kept">The hops that have caches of it. They may be used even where they take nothing new any more.</param>
    /// <param name="may">Which others may be used.</param>
    /// <param name="session">Whose route it is, or null.</param>
    public static RouteChoice Plan(ClusterView view, ServedModel model, IReadOnlyCollection<Hop> kept, Func<Hop, bool> may, SessionId? session = null)
    {
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(kept);
        ArgumentNullException.ThrowIfNull(may);
        var units = model.UnitBytes.Length;
        var plan = view.Plans.FirstOrDefault(plan => plan.Model == model.Model);
        var offers = Offers(view, model, plan, kept, may, session);
        var distances = new LinkDistances(view.Devices);

        // ways[u]: the best ways from unit u to the end, by their first hops, the best first.
        var ways = new List<Way>[units + 1];
        ways[units] = [new Way(0, 0, 0, 0, 0, null, null)];
        for (var unit = units - 1; unit >= 0; unit--)
        {
            var here = new List<Way>();
            foreach (var (hop, cost, isKept, isDoubtful) in offers[unit])
            {
                Way? best = null;
                foreach (var rest in ways[hop.Range.End])
                {
                    var far = rest.Far + (rest.Hop is { } next ? distances.Between(hop.Device, next.Device) : 0);
                    var way = new Way(rest.Doubtful + (isDoubtful ? hop.Range.Count : 0), rest.New + (isKept ? 0 : hop.Range.Count), rest.Strangers + cost, rest.Hops + 1, far, hop, rest);
                    best = best is { } other && other.IsAtLeastAsGoodAs(way) ? other : way;
                }

                if (best is not null)
                {
                    Keep(here, best);
                }
            }

            ways[unit] = here;
        }

        if (ways[0] is not [var whole, ..] || whole.Hops > ProtocolLimits.Hops)
        {
            return new RouteChoice(null, Problem(view, model, plan, offers, ways[0].Count > 0));
        }

        var hops = ImmutableArray.CreateBuilder<Hop>(whole.Hops);
        for (var way = whole; way?.Hop is { } hop; way = way.Rest)
        {
            hops.Add(hop);
        }

        return new RouteChoice(new Route(model.Model, hops.ToImmutable()), null);
    }

    /// <summary>Puts a way where it belongs among the best ones; of equals the first stays before.</summary>
    private static void Keep(List<Way> ways, Way way)
    {
        var at = ways.Count;
        while (at > 0 && !ways[at - 1].IsAtLeastAsGoodAs(way))
        {
            at--;
        }

        if (at < MostWays)
        {
            ways.Insert(at, way);
            if (ways.Count > MostWays)
            {
                ways.RemoveAt(MostWays);
            }
        }
    }

    /// <summary>What may be used, by first unit, in the order in which equals are preferred.</summary>
    private static List<Offer>[] Offers(ClusterView view, ServedModel model, PlacementPlan? plan, IReadOnlyCollection<Hop> kept, Func<Hop, bool> may, SessionId? session)
    {
        var planned = plan?.Assignments.Select(assignment => (assignment.Device, assignment.Range)).ToHashSet() ?? [];
        var offers = new List<Offer>[model.UnitBytes.Length];
        for (var unit = 0; unit < offers.Length; unit++)
        {
            offers[unit] = [];
        }

        foreach (var hop in kept.Where(hop => !view.IsExcluded(hop.Device)))
        {
            offers[hop.Range.First].Add(new Offer(hop, planned.Contains((hop.Device, hop.Range)) ? 0 : 1, true, IsDoubtful(view, hop.Device)));
        }

        var reachable = view.Members.Where(member => member is { Status: MemberStatus.Up, Reachable: true }).Select(member => member.Address).ToHashSet();
        var caches = kept.Select(hop => hop.Shard).ToHashSet();
        foreach (var device in view.Devices.OrderBy(device => ReplicaShare.Turn(session, device, view.PreferenceOf(device.Device))).ThenBy(device => device.Device.Value, StringComparer.Ordinal))
        {
            if (!reachable.Contains(device.Node) || view.IsExcluded(device.Device) || !view.MayTakeNew(device.Device))
            {
                continue;
            }

            foreach (var loaded in device.Loaded.Where(loaded => loaded.Model == model.Model && loaded.Range.IsValid(model.Layers)))
            {
                var hop = new Hop(device.Device, loaded.Range, loaded.Shard);
                if (!caches.Contains(loaded.Shard) && may(hop))
                {
                    offers[loaded.Range.First].Add(new Offer(hop, device.Leaving ? LeavingCost : planned.Contains((device.Device, loaded.Range)) && loaded.StreamedBytes == 0 ? 0 : 1, false, IsDoubtful(view, device.Device)));
                }
            }
        }

        return offers;
    }

    private static bool IsDoubtful(ClusterView view, DeviceId device) => view.TierOf(device) == TrustTier.Quarantined;

    private static string Problem(ClusterView view, ServedModel model, PlacementPlan? plan, List<Offer>[] offers, bool isTooLong)
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
            : $"No reachable device serves {string.Join(" or ", missing.Select(range => range.Describe(model.Layers)))} of {model.Name}.{Excluded(view, model, missing)}{why}";
    }

    /// <summary>Who serves what is missing and must not be used.</summary>
    private static string Excluded(ClusterView view, ServedModel model, List<LayerRange> missing)
    {
        var excluded = view.Devices
            .Where(device => view.IsExcluded(device.Device) && device.Loaded.Any(
                loaded => loaded.Model == model.Model && missing.Exists(range => loaded.Range.First < range.End && range.First < loaded.Range.End)))
            .Select(device => device.Device.Short)
            .ToArray();
        var unknown = view.Devices
            .Where(device => !view.MayTakeNew(device.Device) && device.Loaded.Any(
                loaded => loaded.Model == model.Model && missing.Exists(range => loaded.Range.First < range.End && range.First < loaded.Range.End)))
            .Select(device => device.Device.Short)
            .ToArray();
        return (excluded.Length == 0 ? "" : $" Excluded, because checks found wrong results: device {string.Join(", device ", excluded)}.")
            + (unknown.Length == 0 ? "" : $" No ledger answers, and none has said anything of: device {string.Join(", device ", unknown)}.");
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

    private readonly record struct Offer(Hop Hop, int Cost, bool IsKept, bool IsDoubtful);

    private sealed record Way(int Doubtful, int New, int Strangers, int Hops, int Far, Hop? Hop, Way? Rest)
    {
        public bool IsAtLeastAsGoodAs(Way other) => (Doubtful, New, Strangers, Hops, Far).CompareTo((other.Doubtful, other.New, other.Strangers, other.Hops, other.Far)) <= 0;
    }
}
