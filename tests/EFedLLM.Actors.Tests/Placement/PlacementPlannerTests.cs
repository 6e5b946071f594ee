using System.Collections.Immutable;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Placement;

/// <summary>A table of cases; <see cref="PlacementPropertyTests"/> has what holds always.</summary>
public sealed class PlacementPlannerTests
{
    private static readonly ServedModel Model = Facts.Model('1', "mini", 22);

    [Fact]
    public void One_device_that_is_large_enough_holds_everything()
    {
        var plan = PlacementPlanner.Plan(Model, [Device(1)], null);
        Assert.Equal((1, null), (plan.Version, plan.Problem));
        Assert.Equal(LayerRange.Whole(22), Assert.Single(plan.Assignments).Range);
        Assert.Contains("embedding + layers 0-21 + head", plan.Assignments[0].Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Few_equal_devices_share_the_layers_evenly(int count)
    {
        var plan = PlacementPlanner.Plan(Model, [.. Enumerable.Range(1, count).Select(i => Device(i))], null);
        Assert.Equal(count, plan.Assignments.Length);
        Assert.All(plan.Assignments, assignment => Assert.InRange(assignment.Range.Count, 24 / count - 1, 24 / count + 1));
        AssertCovers(Model, plan);
    }

    [Theory]
    [InlineData(4, 2)]
    [InlineData(7, 2)]
    [InlineData(8, 4)]
    [InlineData(16, 8)]
    [InlineData(1000, 8)]
    public void From_four_devices_on_each_unit_is_held_twice_and_a_route_stays_short(int count, int hops)
    {
        var plan = PlacementPlanner.Plan(Model, [.. Enumerable.Range(1, count).Select(i => Device(i))], null);
        Assert.Equal(count, plan.Assignments.Length);
        AssertCovers(Model, plan);
        Assert.Equal(hops, Ranges(plan).Count);

        // The first range has the embedding, of which a token reads hardly anything.
        Assert.All(Ranges(plan).Where(range => range.First > 0), range => Assert.InRange(plan.Assignments.Count(assignment => assignment.Range == range), count / hops, (count * 1.1 / hops) + 1));
        Assert.All(plan.Assignments, assignment => Assert.Contains("replicas", assignment.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public void Where_memory_is_too_tight_for_two_of_each_many_devices_share_the_layers()
    {
        var plan = PlacementPlanner.Plan(Model, [.. Enumerable.Range(1, 8).Select(i => Device(i, memory: 3500))], null);
        AssertCovers(Model, plan);
        Assert.Equal(8, Ranges(plan).Count);
    }

    [Fact]
    public void Small_devices_hold_parts_of_what_large_ones_hold_so_that_any_of_them_can_stand_in()
    {
        var plan = PlacementPlanner.Plan(Model, [Device(1), Device(2), Device(3), Device(4), Device(5, memory: 6000), Device(6, memory: 6000), Device(7, memory: 3000)], null);
        AssertCovers(Model, plan);
        Assert.All(Ranges(plan), one => Assert.DoesNotContain(Ranges(plan), other => RangeTree.Cross(one, other)));
        Assert.Equal(3, plan.Assignments.Single(assignment => assignment.Device == Id(7)).Range.Count);
    }

    [Fact]
    public void Quick_devices_get_more()
    {
        var plan = PlacementPlanner.Plan(Model, [Device(1, speed: 1000), Device(2, speed: 4000), Device(3, speed: 3000)], null);
        var counts = plan.Assignments.ToDictionary(assignment => assignment.Device, assignment => assignment.Range.Count);
        Assert.InRange(counts[Id(1)], 2, 4);
        Assert.InRange(counts[Id(2)], 11, 13);
        Assert.InRange(counts[Id(3)], 8, 10);
    }

    [Fact]
    public void No_device_gets_more_than_its_memory_holds_however_quick_it_is()
    {
        var plan = PlacementPlanner.Plan(Model, [Device(1, memory: 3999, speed: 1e6), Device(2, memory: 22_000), Device(3, memory: 500)], null);
        Assert.Equal(3, Assert.Single(plan.Assignments, assignment => assignment.Device == Id(1)).Range.Count);
        Assert.DoesNotContain(plan.Assignments, assignment => assignment.Device == Id(3));
        AssertCovers(Model, plan);
    }

    [Fact]
    public void The_order_of_devices_is_found_in_which_a_large_head_fits()
    {
        // Two units of 10 and a head of 25: only the second device can hold the head, whatever the ids say.
        var model = Sized(10, 10, 25);
        var plan = PlacementPlanner.Plan(model, [Device(1, memory: 30), Device(2, memory: 20)], null);
        Assert.Equal([(Id(2), new LayerRange(0, 2)), (Id(1), new LayerRange(2, 3))], plan.Assignments.Select(assignment => (assignment.Device, assignment.Range)));
    }

    [Fact]
    public void Devices_without_the_files_or_that_leave_get_nothing()
    {
        var plan = PlacementPlanner.Plan(Model, [Device(1) with { HasFiles = false }, Device(2), Device(3) with { Leaving = true }], null);
        Assert.Equal(Id(2), Assert.Single(plan.Assignments).Device);
    }

    [Fact]
    public void A_device_that_would_slow_everybody_down_is_used_only_when_nothing_else_covers()
    {
        var snail = Device(3, speed: 1);
        Assert.DoesNotContain(PlacementPlanner.Plan(Model, [Device(1), Device(2), snail], null).Assignments, assignment => assignment.Device == Id(3));
        var tight = PlacementPlanner.Plan(Model, [Device(1, memory: 12_000), Device(2, memory: 11_000), snail], null);
        AssertCovers(Model, tight);
        Assert.Equal(3, tight.Assignments.Length);
    }

    [Fact]
    public void A_device_whose_speed_is_not_known_counts_as_the_slowest()
    {
        var plan = PlacementPlanner.Plan(Model, [Device(1, speed: 0), Device(2, speed: double.NaN), Device(3, speed: 1000)], null);
        Assert.All(plan.Assignments, assignment => Assert.Equal(8, assignment.Range.Count));
    }

    [Fact]
    public void Devices_beyond_the_units_become_replicas_where_the_load_is()
    {
        var model = Sized(10, 10, 10, 40);
        var plan = PlacementPlanner.Plan(model, [.. Enumerable.Range(1, 7).Select(i => Device(i))], null);
        Assert.Equal(7, plan.Assignments.Length);
        AssertCovers(model, plan);
        Assert.Equal(4, plan.Assignments.Count(assignment => assignment.Range == new LayerRange(3, 4)));
        Assert.Contains("one of 4 replicas", plan.Assignments[^1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Thousands_of_devices_are_placed_in_no_time()
    {
        var plan = PlacementPlanner.Plan(Model, [.. Enumerable.Range(1, 10_000).Select(i => Device(i, memory: 2000 + (i % 977), speed: 1000 + (i % 13)))], null);
        AssertCovers(Model, plan);
        Assert.Equal(10_000, plan.Assignments.Length);

        // A unit is held by one in 12 as one of two, or by one in 24 alone: both serve it equally well.
        Assert.All(Enumerable.Range(1, 23), unit => Assert.InRange(Holders(plan, unit), 400, 1000));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_device_that_joins_a_few_gets_its_share_and_little_else_moves(int count)
    {
        var few = Enumerable.Range(1, count).Select(i => Device(i)).ToList();
        var before = PlacementPlanner.Plan(Model, few, null);
        var after = PlacementPlanner.Plan(Model, [.. few, Device(count + 1)], before);
        AssertCovers(Model, after);
        Assert.Equal(before.Version + 1, after.Version);
        var share = 24 / (count + 1);
        Assert.InRange(Assert.Single(after.Assignments, assignment => assignment.Device == Id(count + 1)).Range.Count, share - 1, share + 1);
        Assert.InRange(UnitsMoved(before, after), share - 1, (2 * share) + 1);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(11)]
    [InlineData(500)]
    public void A_device_that_joins_many_becomes_a_replica_and_nothing_else_moves(int count)
    {
        var many = Enumerable.Range(1, count).Select(i => Device(i)).ToList();
        var before = PlacementPlanner.Plan(Model, many, null);
        var after = PlacementPlanner.Plan(Model, [.. many, Device(count + 1)], before);
        Assert.Equal(Ranges(before), Ranges(after));
        Assert.Equal(before.Assignments.Select(Told), after.Assignments.Where(assignment => assignment.Device != Id(count + 1)).Select(Told));
        Assert.Equal(count + 1, after.Assignments.Length);
    }

    [Fact]
    public void The_fourth_device_becomes_a_replica_of_what_three_share()
    {
        var three = Enumerable.Range(1, 3).Select(i => Device(i)).ToList();
        var before = PlacementPlanner.Plan(Model, three, null);
        var after = PlacementPlanner.Plan(Model, [.. three, Device(4)], before);
        AssertCovers(Model, after);
        Assert.All(before.Assignments, assignment => Assert.True(RangeTree.Contains(after.Assignments.Single(other => other.Device == assignment.Device).Range, assignment.Range)));
        Assert.All(Enumerable.Range(0, 24), unit => Assert.True(Holders(after, unit) >= 2));
    }

    [Fact]
    public void When_one_of_three_leaves_its_neighbours_take_over_and_nothing_else_moves()
    {
        var devices = Enumerable.Range(1, 3).Select(i => Device(i)).ToList();
        var before = PlacementPlanner.Plan(Model, devices, null);
        var gone = before.Assignments[1].Device;
        var after = PlacementPlanner.Plan(Model, [.. devices.Where(device => device.Device != gone)], before);
        AssertCovers(Model, after);
        Assert.InRange(UnitsMoved(before, after), 7, 9);
        Assert.Equal(0, after.Assignments.Single(assignment => assignment.Device == before.Assignments[0].Device).Range.First);
    }

    [Fact]
    public void When_one_of_four_leaves_nothing_moves_and_when_it_comes_back_it_gets_what_it_had()
    {
        var devices = Enumerable.Range(1, 4).Select(i => Device(i)).ToList();
        var before = PlacementPlanner.Plan(Model, devices, null);
        var after = PlacementPlanner.Plan(Model, devices[1..], before);
        AssertCovers(Model, after);
        Assert.Equal(0, UnitsMoved(before, after));
        var again = PlacementPlanner.Plan(Model, devices, after);
        Assert.Equal(before.Assignments.Select(Told), again.Assignments.Select(Told));
    }

    [Fact]
    public void When_all_holders_of_a_part_are_gone_as_little_as_can_be_is_loaded()
    {
        var devices = Enumerable.Range(1, 16).Select(i => Device(i)).ToList();
        var before = PlacementPlanner.Plan(Model, devices, null);
        var lost = before.Assignments[0].Range;
        var left = devices.Where(device => before.Assignments.Single(assignment => assignment.Device == device.Device).Range != lost).ToList();
        var after = PlacementPlanner.Plan(Model, left, before);
        AssertCovers(Model, after);
        Assert.All(Enumerable.Range(0, 24), unit => Assert.True(Holders(after, unit) >= 2));
        Assert.Equal(2 * lost.Count, UnitsMoved(before, after));
        Assert.Contains(after.Assignments, assignment => assignment.Reason.EndsWith("to load: nobody else holds embedding", StringComparison.Ordinal));
        Assert.Contains(after.Assignments, assignment => assignment.Reason.EndsWith("to load: only one other device holds embedding", StringComparison.Ordinal));
    }

    [Fact]
    public void A_part_that_became_slow_is_given_a_device_of_one_that_has_more_than_its_share()
    {
        // Half of the model rests on two devices that became slow; the others have speed to spare.
        var devices = Enumerable.Range(1, 8).Select(i => Device(i)).ToList();
        var halves = devices.Select((device, i) => new Assignment(device.Device, i < 2 ? new LayerRange(0, 12) : new LayerRange(12, 24), "")).ToList();
        var slow = devices.Select((device, i) => i < 2 ? device with { BytesPerSecond = 200 } : device).ToList();
        var after = PlacementPlanner.Plan(Model, slow, new PlacementPlan(Model.Model, 1, [.. halves], null));
        AssertCovers(Model, after);
        Assert.Contains(after.Assignments, assignment => assignment.Range.First < 12 && assignment.Reason.Contains("had less than half of its share of speed", StringComparison.Ordinal));
        Assert.InRange(after.Assignments.Count(assignment => assignment.Range.First >= 12), 3, 5);
    }

    [Fact]
    public void What_lies_on_a_disk_is_taken_before_what_is_far()
    {
        var devices = Enumerable.Range(1, 4).Select(i => Device(i)).ToList();
        var before = PlacementPlanner.Plan(Model, devices, null);
        var after = PlacementPlanner.Plan(Model, [.. devices, Device(5) with { HeldUnits = [new(12, 20), new(18, 24), new(3, 9000)] }], before);
        Assert.Equal(new LayerRange(12, 24), after.Assignments.Single(assignment => assignment.Device == Id(5)).Range);
        after = PlacementPlanner.Plan(Model, [.. devices, Device(5) with { HeldUnits = [new(0, 11)] }], before);
        Assert.Equal(new LayerRange(0, 12), after.Assignments.Single(assignment => assignment.Device == Id(5)).Range);
    }

    [Fact]
    public void Each_site_that_can_holds_a_whole_model()
    {
        // Eight devices in two homes, named crosswise: whoever ignores the homes gives one of them the same half twice.
        var devices = Enumerable.Range(1, 8).Select(i => Device(i) with
        {
            Links = [.. Enumerable.Range(1, 8).Where(peer => peer != i).Select(peer => new LinkSample(Id(peer), (peer - 1) / 2 % 2 == (i - 1) / 2 % 2 ? 0.5f : 40))],
        }).ToList();
        var plan = PlacementPlanner.Plan(Model, devices, null);
        AssertCovers(Model, plan);
        foreach (var home in new[] { 0, 1 })
        {
            var there = plan.Assignments.Where(assignment => (Convert.ToInt32(assignment.Device.Value[^4..], 16) - 1) / 2 % 2 == home).ToList();
            Assert.Equal(4, there.Count);
            AssertCovers(Model, plan with { Assignments = [.. there] });
        }
    }

    [Fact]
    public void A_speed_that_varies_a_little_moves_nothing_and_one_that_changes_much_does()
    {
        var before = PlacementPlanner.Plan(Model, [Device(1), Device(2), Device(3)], null);
        Assert.Same(before, PlacementPlanner.Plan(Model, [Device(1, speed: 900), Device(2, speed: 1080), Device(3)], before));
        Assert.NotSame(before, PlacementPlanner.Plan(Model, [Device(1, speed: 300), Device(2), Device(3)], before));
    }

    [Fact]
    public void What_is_loaded_counts_when_there_is_no_plan_any_more()
    {
        var plan = PlacementPlanner.Plan(
            Model,
            [Device(1) with { Loaded = new(16, 24) }, Device(2) with { Loaded = new(0, 8) }, Device(3) with { Loaded = new(8, 16) }],
            null);
        Assert.Equal([Id(2), Id(3), Id(1)], plan.Assignments.Select(assignment => assignment.Device));
        Assert.All(plan.Assignments, assignment => Assert.Contains("as before", assignment.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public void A_claim_to_hold_what_the_model_does_not_have_is_ignored()
    {
        var plan = PlacementPlanner.Plan(Model, [Device(1) with { Loaded = new(20, 4000) }, Device(2)], null);
        AssertCovers(Model, plan);
    }

    [Fact]
    public void When_memory_lacks_the_plan_says_how_much_and_for_what_and_keeps_what_is_held()
    {
        var devices = new[] { Device(1, memory: 8000), Device(2, memory: 9000), Device(3, memory: 8000) };
        var before = PlacementPlanner.Plan(Model, devices, null);
        AssertCovers(Model, before);
        var after = PlacementPlanner.Plan(Model, [devices[0], devices[1]], before);
        var lost = before.Assignments.Single(assignment => assignment.Device == Id(3)).Range;
        Assert.Equal([Id(1), Id(2)], after.Assignments.Select(assignment => assignment.Device).Order(Comparer<DeviceId>.Create((a, b) => string.CompareOrdinal(a.Value, b.Value))));
        Assert.Contains(lost.Describe(22), after.Problem, StringComparison.Ordinal);
        Assert.Contains("6.8 KiB of memory are lacking", after.Problem, StringComparison.Ordinal);
        Assert.Same(after, PlacementPlanner.Plan(Model, [devices[0], devices[1]], after));

        var again = PlacementPlanner.Plan(Model, devices, after);
        Assert.Equal(before.Assignments.Select(assignment => (assignment.Device, assignment.Range)), again.Assignments.Select(assignment => (assignment.Device, assignment.Range)));
    }

    [Fact]
    public void The_problem_is_told_for_no_devices_none_with_files_and_units_that_do_not_fit()
    {
        Assert.Contains("no device yet", PlacementPlanner.Plan(Model, [], null).Problem, StringComparison.Ordinal);
        Assert.Contains("2 do not have its files", PlacementPlanner.Plan(Model, [Device(1) with { HasFiles = false }, Device(2) with { HasFiles = false }], null).Problem, StringComparison.Ordinal);
        var pieces = PlacementPlanner.Plan(Sized(10, 10, 30), [Device(1, memory: 25), Device(2, memory: 25)], null);
        Assert.Contains("the largest of which needs 30 bytes", pieces.Problem, StringComparison.Ordinal);
        Assert.Contains("head (30 bytes)", pieces.Problem, StringComparison.Ordinal);
        Assert.Equal(new LayerRange(0, 2), Assert.Single(pieces.Assignments).Range);
    }

    [Fact]
    public void Where_memory_lacks_devices_stream_what_they_have_no_room_for_and_only_there()
    {
        var model = Model with { CanStream = true };
        var devices = new[] { Device(1, memory: 6000, speed: 1e9), Device(2, memory: 9000, speed: 1e9), Device(3, memory: 6000, speed: 1e9) };
        var plan = PlacementPlanner.Plan(model, devices, null);
        AssertCovers(model, plan);
        Assert.All(plan.Assignments, assignment => Assert.InRange(assignment.MemoryBytes, 0, devices.Single(device => device.Device == assignment.Device).WeightBytes));
        Assert.Contains(plan.Assignments, assignment => assignment.MemoryBytes > 0 && assignment.Reason.Contains("streams ", StringComparison.Ordinal));
        Assert.Same(plan, PlacementPlanner.Plan(model, devices, plan));
        Assert.NotNull(PlacementPlanner.Plan(Model, devices, null).Problem);

        var enough = PlacementPlanner.Plan(model, [.. devices, Device(4, memory: 9000, speed: 1e9)], plan);
        AssertCovers(model, enough);
        Assert.All(enough.Assignments, assignment => Assert.Equal(0, assignment.MemoryBytes));

        var alone = PlacementPlanner.Plan(model, [devices[0]], plan);
        Assert.Equal((LayerRange.Whole(22), 6000), (alone.Assignments[0].Range, alone.Assignments[0].MemoryBytes));
        Assert.Contains("streams 18.6 KiB from disk", alone.Assignments[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_memory_for_two_units_cannot_stream_and_the_problem_says_so()
    {
        var plan = PlacementPlanner.Plan(Model with { CanStream = true }, [Device(1, memory: 1999)], null);
        Assert.Contains("To stream it from disk, a device needs memory for two units: 2 KiB for the largest.", plan.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Absurd_claims_do_no_harm()
    {
        var model = Sized([.. Enumerable.Repeat(long.MaxValue, 40)]);
        var plan = PlacementPlanner.Plan(model, [Device(1, memory: long.MaxValue, speed: double.MaxValue), Device(2, memory: long.MaxValue, speed: double.Epsilon)], null);
        AssertCovers(model, plan);
        Assert.NotNull(PlacementPlanner.Plan(model with { CanStream = true }, [Device(1, memory: 1)], null).Problem);
    }

    internal static DeviceId Id(int number) => new($"{number:x32}");

    internal static PlacementDevice Device(int number, long memory = 1 << 20, double speed = 1000) => new(Id(number), memory, speed, true, null, false);

    internal static ServedModel Sized(params long[] bytes) => Model with { UnitBytes = [.. bytes], UnitReadBytes = [.. bytes], UnitCacheBytes = [.. bytes] };

    /// <summary>There is a route through the ranges, of no more hops than one may have.</summary>
    internal static void AssertCovers(ServedModel model, PlacementPlan plan)
    {
        Assert.Null(plan.Problem);
        Assert.Equal(plan.Assignments.Length, plan.Assignments.Select(assignment => assignment.Device).Distinct().Count());
        Assert.All(plan.Assignments, assignment => Assert.True(assignment.Range.IsValid(model.Layers)));
        Assert.InRange(Hops(model, plan.Assignments.Select(assignment => assignment.Range)) ?? int.MaxValue, 1, ProtocolLimits.Hops);
    }

    /// <summary>Hops of the shortest route, or null when the ranges have none.</summary>
    internal static int? Hops(ServedModel model, IEnumerable<LayerRange> ranges)
    {
        var hops = new int?[model.UnitBytes.Length + 1];
        hops[0] = 0;
        foreach (var range in ranges.Distinct().OrderBy(range => range.First))
        {
            hops[range.End] = hops[range.First] is { } before && !(hops[range.End] <= before + 1) ? before + 1 : hops[range.End];
        }

        return hops[^1];
    }

    internal static int Holders(PlacementPlan plan, int unit) => plan.Assignments.Count(assignment => assignment.Range.First <= unit && unit < assignment.Range.End);

    private static HashSet<LayerRange> Ranges(PlacementPlan plan) => [.. plan.Assignments.Select(assignment => assignment.Range)];

    private static (DeviceId Device, LayerRange Range) Told(Assignment assignment) => (assignment.Device, assignment.Range);

    private static int UnitsMoved(PlacementPlan before, PlacementPlan after)
    {
        var held = before.Assignments.ToImmutableDictionary(assignment => assignment.Device, assignment => assignment.Range);
        return after.Assignments.Sum(assignment => Enumerable.Range(assignment.Range.First, assignment.Range.Count)
            .Count(unit => !held.TryGetValue(assignment.Device, out var range) || unit < range.First || unit >= range.End));
    }
}
