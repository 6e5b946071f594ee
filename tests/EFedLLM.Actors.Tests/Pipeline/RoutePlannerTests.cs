using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>Tables of routes through a model of 4 layers: units 0 to 5. A range is written <c>device:first-end</c>.</summary>
public sealed class RoutePlannerTests
{
    private static readonly ServedModel Model = Facts.Model('a', "tiny", 4);

    [Theory]
    [InlineData("one device holds all", "1:0-6", "", "1:0-6")]
    [InlineData("ranges join", "1:0-2 2:2-4 3:4-6", "", "1:0-2 2:2-4 3:4-6")]
    [InlineData("fewest hops", "1:0-2 2:2-4 3:4-6 4:2-6", "", "1:0-2 4:2-6")]
    [InlineData("the plan before fewest hops", "1:0-6 2:0-3 3:3-6", "2:0-3 3:3-6", "2:0-3 3:3-6")]
    [InlineData("an old range only where the plan is not there yet", "1:0-2 2:2-6 3:2-4", "1:0-2 3:2-4 4:4-6", "1:0-2 2:2-6")]
    [InlineData("the lower id of equals", "3:0-6 1:0-6 2:0-6", "", "1:0-6")]
    [InlineData("a device with two ranges serves both", "1:0-2 2:2-4 1:4-6", "", "1:0-2 2:2-4 1:4-6")]
    public void The_best_route_is_found(string rule, string loaded, string planned, string expected)
    {
        Assert.NotNull(rule);
        var choice = RoutePlanner.Plan(View(loaded, planned), Model);
        Assert.Null(choice.Problem);
        Assert.Equal(expected, string.Join(' ', choice.Route!.Hops.Select(hop => $"{hop.Device.Value[0]}:{hop.Range.First}-{hop.Range.End}")));
    }

    [Theory]
    [InlineData("", "embedding + layers 0-3 + head")]
    [InlineData("1:0-2 3:4-6", "layers 1-2")]
    [InlineData("1:0-1 2:2-3 3:4-5", "layer 0 or layer 2 or head")]
    [InlineData("1:0-3 2:2-6", "do not join")]
    [InlineData("1:0-6 1:3-9", "")]
    public void What_is_missing_is_named(string loaded, string missing)
    {
        var choice = RoutePlanner.Plan(View(loaded, ""), Model);
        Assert.Equal(missing.Length == 0, choice.Route is not null);
        if (missing.Length > 0)
        {
            Assert.Contains(missing, choice.Problem, StringComparison.Ordinal);
            Assert.Contains("plan", choice.Problem, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("an excluded device is not used", "1:0-6 2:0-3 3:3-6", "1x", "2:0-3 3:3-6")]
    [InlineData("nor where the plan wants it", "1:0-6 2:0-6", "1x", "2:0-6")]
    [InlineData("something speaks against the only one", "1:0-6", "1q", "1:0-6")]
    [InlineData("others go before one under doubt, however many hops", "1:0-6 2:0-2 3:2-4 4:4-6", "1q", "2:0-2 3:2-4 4:4-6")]
    [InlineData("one under doubt only where no other covers", "1:0-6 2:0-3 3:2-6 4:3-6", "1q 4q", "2:0-3 4:3-6")]
    [InlineData("as little as possible, in as few hops, of those under doubt", "1:0-3 2:3-6 3:0-6", "1q 2q 3q", "3:0-6")]
    public void How_far_devices_are_trusted_counts_before_everything_else(string rule, string loaded, string standings, string expected)
    {
        Assert.NotNull(rule);
        var view = Trusted(View(loaded, "1:0-6"), standings);
        Assert.Equal(expected, Text(RoutePlanner.Plan(view, Model)));

        // A session that has its caches where it must not be leaves them.
        var kept = view.Devices.SelectMany(device => device.Loaded.Select(range => new Hop(device.Device, range.Range, range.Shard))).ToArray();
        Assert.Equal(expected, Text(RoutePlanner.Plan(view, Model, kept, _ => true)));

        static string Text(RouteChoice choice) => string.Join(' ', choice.Route!.Hops.Select(hop => $"{hop.Device.Value[0]}:{hop.Range.First}-{hop.Range.End}"));
    }

    [Fact]
    public void Who_would_have_what_is_missing_and_is_excluded_is_named()
    {
        var problem = RoutePlanner.Plan(Trusted(View("1:0-3 2:3-6 3:0-3", ""), "2x 3x"), Model).Problem;
        Assert.Contains("layers 2-3 + head", problem, StringComparison.Ordinal);
        Assert.Contains($"device {Id(2).Short}", problem, StringComparison.Ordinal);
        Assert.DoesNotContain(Id(3).Short, problem, StringComparison.Ordinal);
    }

    private static ClusterView Trusted(ClusterView view, string standings) => view with
    {
        Standings = standings.Split(' ').Select(text => new DeviceStanding(
            Id(text[0] - '0'), text[1] == 'x' ? TrustTier.Excluded : TrustTier.Quarantined, TrustTier.Probation, 7, 1, Address(0))).ToImmutableDictionary(standing => standing.Device),
    };

    [Fact]
    public void The_problem_of_the_plan_is_passed_on()
    {
        var view = View("", "") with { Plans = [new PlacementPlan(Model.Model, 1, [], "Memory for 2 more layers is missing.")] };
        Assert.EndsWith("Memory for 2 more layers is missing.", RoutePlanner.Plan(view, Model).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_that_leave_do_not_answer_or_are_to_be_avoided_are_left_out()
    {
        var view = View("1:0-6 2:0-6 3:0-6 4:0-6", "");
        var leaving = view with { Devices = view.Devices.SetItem(0, view.Devices[0] with { Leaving = true }) };
        var silent = leaving with { Members = leaving.Members.SetItem(1, leaving.Members[1] with { Reachable = false }) };
        var choice = RoutePlanner.Plan(silent, Model, new HashSet<DeviceId> { view.Devices[2].Device });
        Assert.Equal('4', Assert.Single(choice.Route!.Hops).Device.Value[0]);
        Assert.Null(RoutePlanner.Plan(silent with { Members = [] }, Model).Route);
    }

    [Theory]
    [InlineData("alone it still serves", "1:0-6", "1:0-6")]
    [InlineData("any other way is better", "1:0-6 2:0-2 3:2-4 4:4-6", "2:0-2 3:2-4 4:4-6")]
    [InlineData("it fills a gap", "1:0-4 2:0-2 3:4-6", "1:0-4 3:4-6")]
    public void A_device_that_leaves_is_used_only_where_there_is_no_other(string rule, string loaded, string expected)
    {
        Assert.NotNull(rule);
        var view = View(loaded, "1:0-6");
        var leaving = view with { Devices = [.. view.Devices.Select(device => device.Device.Value[0] == '1' ? device with { Leaving = true } : device)] };
        var choice = RoutePlanner.Plan(leaving, Model);
        Assert.Equal(expected, string.Join(' ', choice.Route!.Hops.Select(hop => $"{hop.Device.Value[0]}:{hop.Range.First}-{hop.Range.End}")));
    }

    [Fact]
    public void Of_replicas_the_one_near_the_next_hop_is_taken_even_when_its_id_is_higher()
    {
        var view = View("1:0-3 2:0-3 3:3-6 4:3-6", "");
        var home = new Dictionary<char, int> { ['1'] = 0, ['2'] = 1, ['3'] = 1, ['4'] = 2 };
        var measured = view with
        {
            Devices = [.. view.Devices.Select(one => one with
            {
                Links = [.. view.Devices.Where(other => other.Device != one.Device)
                    .Select(other => new LinkSample(other.Device, home[one.Device.Value[0]] == home[other.Device.Value[0]] ? 0.3f : 30))],
            })],
        };
        Assert.Equal("13", string.Concat(RoutePlanner.Plan(view, Model).Route!.Hops.Select(hop => hop.Device.Value[0])));
        Assert.Equal("23", string.Concat(RoutePlanner.Plan(measured, Model).Route!.Hops.Select(hop => hop.Device.Value[0])));
    }

    [Fact]
    public void Sessions_are_shared_among_replicas_by_their_speed_and_each_keeps_its_route()
    {
        var view = View("1:0-6 2:0-6 3:0-6", "");
        view = view with { Devices = view.Devices.SetItem(2, view.Devices[2] with { BytesPerSecond = 2 }) };
        var random = new Random(7);
        var counts = new int[3];
        for (var i = 0; i < 4000; i++)
        {
            var bytes = new byte[16];
            random.NextBytes(bytes);
            var session = new SessionId(new Guid(bytes));
            var route = RoutePlanner.Plan(view, Model, null, session).Route;
            Assert.Equal(route, RoutePlanner.Plan(view, Model, null, session).Route);
            counts[route!.Hops[0].Device.Value[0] - '1']++;
        }

        Assert.InRange(counts[0], 900, 1100);
        Assert.InRange(counts[1], 900, 1100);
        Assert.InRange(counts[2], 1850, 2150);
    }

    [Fact]
    public void Of_replicas_trusted_alike_one_that_failed_lately_gets_fewer_sessions_and_its_preference_decides_nothing_else()
    {
        var view = View("1:0-6 2:0-6 3:0-3 4:3-6", "");
        view = view with
        {
            Standings = new[] { (1, 0.25), (2, 1.0), (3, 1.0), (4, 1.0) }
                .Select(one => new DeviceStanding(Id(one.Item1), TrustTier.Full, TrustTier.Probation, 0, 1, Address(0)) { Preference = one.Item2 })
                .ToImmutableDictionary(standing => standing.Device),
        };
        var random = new Random(7);
        var counts = new int[4];
        for (var i = 0; i < 4000; i++)
        {
            var bytes = new byte[16];
            random.NextBytes(bytes);
            counts[RoutePlanner.Plan(view, Model, null, new SessionId(new Guid(bytes))).Route!.Hops[0].Device.Value[0] - '1']++;
        }

        Assert.InRange(counts[0], 700, 900);
        Assert.InRange(counts[1], 3100, 3300);
        Assert.Equal((0, 0), (counts[2], counts[3]));
        Assert.Equal(Id(2), RoutePlanner.Plan(view, Model).Route!.Hops[0].Device);
    }

    [Fact]
    public void While_no_ledger_answers_devices_of_which_none_said_anything_get_no_new_sessions_and_are_named()
    {
        var view = Trusted(View("1:0-6 2:0-3 3:3-6", "1:0-6"), "2q 3q");
        Assert.Equal(Id(1), RoutePlanner.Plan(view, Model).Route!.Hops[0].Device);
        Assert.Equal([Id(2), Id(3)], RoutePlanner.Plan(view with { IsLedgerAway = true }, Model).Route!.Hops.Select(hop => hop.Device));

        // A session that has its caches there stays.
        var kept = new Hop(Id(1), new LayerRange(0, 6), view.Devices[0].Loaded[0].Shard);
        Assert.Equal(Id(1), RoutePlanner.Plan(view with { IsLedgerAway = true, Standings = view.Standings.Clear() }, Model, [kept], _ => true).Route!.Hops[0].Device);

        var problem = RoutePlanner.Plan(view with { IsLedgerAway = true, Standings = view.Standings.Clear() }, Model).Problem;
        Assert.Contains($"No ledger answers, and none has said anything of: device {Id(1).Short}", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Thousands_of_devices_are_planned_at_once()
    {
        var devices = Enumerable.Range(0, 5000).Select(number => Device(number, Address(number), new LayerRange(number % 6, (number % 6) + 1))).ToImmutableArray();
        var view = ClusterView.Empty(Address(0)) with { Devices = devices, Members = [.. Enumerable.Range(0, 5000).Select(Member)] };
        Assert.Equal(6, RoutePlanner.Plan(view, Model).Route!.Hops.Length);
    }

    private static ClusterView View(string loaded, string planned)
    {
        var ranges = Ranges(loaded).GroupBy(entry => entry.Device).ToArray();
        return ClusterView.Empty(Address(0)) with
        {
            Devices = [.. ranges.Select(group => Device(group.Key, Address(group.Key), [.. group.Select(entry => entry.Range)]))],
            Members = [.. ranges.Select(group => Member(group.Key))],
            Plans = planned.Length == 0
                ? []
                : [new PlacementPlan(Model.Model, 1, [.. Ranges(planned).Select(entry => new Assignment(Id(entry.Device), entry.Range, ""))], null)],
        };
    }

    private static IEnumerable<(int Device, LayerRange Range)> Ranges(string list) => list.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(text => text.Split(':', '-')).Select(parts => (int.Parse(parts[0]), new LayerRange(int.Parse(parts[1]), int.Parse(parts[2]))));

    private static DeviceId Id(int number) => number < 10 ? new(new string((char)('0' + number), 32)) : new($"{number:x32}");

    private static Address Address(int number) => new("akka.tcp", "efedllm", "127.0.0.1", 10_000 + number);

    private static NodeView Member(int number) => new(Address(number), [], MemberStatus.Up, true, "1");

    private static DeviceAnnouncement Device(int number, Address node, params LayerRange[] ranges)
        => new(Id(number), "", node, ActorRefs.Nobody, 1, 1, [], [.. ranges.Select(range => new LoadedRange(Model.Model, range, ActorRefs.Nobody, 1))], false, 1);
}
