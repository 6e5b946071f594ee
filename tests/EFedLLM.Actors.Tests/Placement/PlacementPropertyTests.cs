using CsCheck;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class PlacementPropertyTests
{
    private static readonly Gen<ServedModel> Models = Gen.Long[1, 12].Array[2, 8].Select(units => PlacementPlannerTests.Sized(units));

    private static readonly Gen<ServedModel> LargeModels = Gen.Long[1, 40].Array[10, 60].Select(units => PlacementPlannerTests.Sized(units));

    private static readonly Gen<PlacementDevice[]> Clusters = Gen.Select(Gen.Long[0, 40], Gen.Double[0.5, 8], Gen.Int[0, 9], Gen.Int[0, 9])
        .Select((memory, speed, files, leaving) => (memory, speed, files: files > 0, leaving: leaving == 0))
        .Array[1, 6]
        .Select(devices => devices
            .Select((device, i) => new PlacementDevice(PlacementPlannerTests.Id(i + 1), device.memory, device.speed, device.files, null, device.leaving))
            .ToArray());

    [Fact]
    public void A_plan_has_no_gaps_keeps_to_every_budget_and_exists_whenever_any_cover_does()
        => Gen.Select(Models, Clusters).Sample(
            (model, devices) => Check(model, devices, PlacementPlanner.Plan(model, devices, null)),
            iter: 2000,
            threads: 1);

    [Fact]
    public void So_does_a_plan_that_follows_another()
        => Gen.Select(Models, Clusters, Clusters).Sample(
            (model, before, after) => Check(model, after, PlacementPlanner.Plan(model, after, PlacementPlanner.Plan(model, before, null))),
            iter: 2000,
            threads: 1);

    [Fact]
    public void The_same_devices_in_any_order_get_the_same_plan_and_keep_it()
        => Gen.Select(Models, Clusters, Clusters).Sample(
            (model, before, devices) =>
            {
                var previous = PlacementPlanner.Plan(model, before, null);
                var plan = PlacementPlanner.Plan(model, devices, previous);
                Assert.Equal(plan, PlacementPlanner.Plan(model, [.. devices.Reverse()], previous));
                Assert.Same(plan, PlacementPlanner.Plan(model, devices, plan));

                var loaded = plan.Assignments.ToDictionary(assignment => assignment.Device, assignment => assignment.Range);
                var told = devices.Select(device => device with { Loaded = loaded.TryGetValue(device.Device, out var range) ? range : null });
                Assert.Same(plan, PlacementPlanner.Plan(model, [.. told], plan));
            },
            iter: 2000,
            threads: 1);

    [Fact]
    public void Where_memory_is_no_matter_a_few_share_and_nobody_is_far_from_the_best_possible_time()
        => Gen.Select(Models, Gen.Double[1, 3].Array[1, 3]).Sample(
            (model, speeds) =>
            {
                var devices = speeds.Select((speed, i) => PlacementPlannerTests.Device(i + 1, speed: speed)).ToArray();
                var plan = PlacementPlanner.Plan(model, devices, null);
                var units = model.UnitBytes.Length;
                Assert.Equal(devices.Length, plan.Assignments.Length);
                Assert.Equal(Math.Min(devices.Length, units), plan.Assignments.Select(assignment => assignment.Range).Distinct().Count());
                var costs = new UnitCosts(model);
                var slowest = plan.Assignments.GroupBy(assignment => assignment.Range).Max(same => same.Min(assignment => Seconds(costs, devices, assignment)));
                Assert.True(slowest <= Best(costs, devices, 0, 0, Math.Min(devices.Length, units)) * 1.21, $"{slowest} s");
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void Where_memory_is_no_matter_four_and_more_hold_everything_twice_and_each_unit_has_a_third_of_its_share_of_speed()
        => Gen.Select(Models, Gen.Double[1, 3].Array[4, 40]).Sample(
            (model, speeds) =>
            {
                var devices = speeds.Select((speed, i) => PlacementPlannerTests.Device(i + 1, speed: speed)).ToArray();
                var plan = PlacementPlanner.Plan(model, devices, null);
                PlacementPlannerTests.AssertCovers(model, plan);
                var (costs, coverage) = (new UnitCosts(model), new Coverage(new UnitCosts(model)));
                foreach (var assignment in plan.Assignments)
                {
                    coverage.Add(assignment.Range, devices.Single(device => device.Device == assignment.Device).BytesPerSecond);
                }

                Assert.True(coverage.Fewest() >= 2);
                Assert.True(coverage.Least() >= coverage.Rate(new LayerRange(0, costs.Count), speeds.Sum()) / 3, $"{coverage.Least()}");
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void While_devices_come_and_go_plans_stay_right_ranges_nest_and_one_loss_never_ends_a_model_that_is_held_twice()
        => Gen.Select(LargeModels, Gen.Select(Gen.Long[20, 400], Gen.Double[0.5, 8]).Array[12, 30], Gen.Int[0, 1000].Array[25]).Sample(
            (model, kinds, events) =>
            {
                var all = kinds.Select((kind, i) => PlacementPlannerTests.Device(i + 1, kind.Item1, kind.Item2)).ToArray();
                var here = all.Take(all.Length * 2 / 3).ToList();
                PlacementPlan? plan = null;
                foreach (var happens in events)
                {
                    var absent = all.Except(here).ToList();
                    if (happens % 2 == 0 && absent.Count > 0)
                    {
                        here.Add(absent[happens % absent.Count]);
                    }
                    else if (here.Count > 4)
                    {
                        here.RemoveAt(happens % here.Count);
                    }

                    var previous = plan;
                    plan = PlacementPlanner.Plan(model, here, previous);
                    Assert.Equal(plan, PlacementPlanner.Plan(model, [.. here.AsEnumerable().Reverse()], previous));
                    Assert.Same(plan, PlacementPlanner.Plan(model, here, plan));
                    if (plan.Problem is not null)
                    {
                        continue;
                    }

                    PlacementPlannerTests.AssertCovers(model, plan);
                    var ranges = plan.Assignments.Select(assignment => assignment.Range).Distinct().ToList();
                    Assert.All(ranges, one => Assert.DoesNotContain(ranges, other => RangeTree.Cross(one, other)));
                    var costs = new UnitCosts(model);
                    Assert.All(plan.Assignments, assignment => Assert.True(costs.Bytes(assignment.Range) <= here.Single(device => device.Device == assignment.Device).WeightBytes));
                    if (Enumerable.Range(0, costs.Count).All(unit => PlacementPlannerTests.Holders(plan, unit) >= 2))
                    {
                        Assert.All(plan.Assignments, lost => PlacementPlannerTests.AssertCovers(model, plan with { Assignments = plan.Assignments.Remove(lost) }));
                    }
                }
            },
            iter: 100,
            threads: 1);

    [Fact]
    public void One_device_that_comes_or_goes_moves_no_more_than_ten_ranges()
        => Gen.Select(LargeModels, Gen.Select(Gen.Long[100, 400], Gen.Double[1, 4]).Array[16, 40], Gen.Int[0, 1000]).Sample(
            (model, kinds, who) =>
            {
                var all = kinds.Select((kind, i) => PlacementPlannerTests.Device(i + 1, kind.Item1, kind.Item2)).ToArray();
                var one = all[who % all.Length];
                var (with, without) = (PlacementPlanner.Plan(model, all, null), PlacementPlanner.Plan(model, [.. all.Where(device => device != one)], null));
                var costs = new UnitCosts(model);
                var largest = with.Assignments.Concat(without.Assignments).Max(assignment => costs.Bytes(assignment.Range));
                Assert.InRange(Moved(costs, with, PlacementPlanner.Plan(model, [.. all.Where(device => device != one)], with)), 0, 10 * largest);
                Assert.InRange(Moved(costs, without, PlacementPlanner.Plan(model, all, without)), 0, 10 * largest);
            },
            iter: 300,
            threads: 1);

    private static long Moved(UnitCosts costs, PlacementPlan before, PlacementPlan after)
    {
        var held = before.Assignments.ToDictionary(assignment => assignment.Device, assignment => (LayerRange?)assignment.Range);
        return after.Assignments.Sum(assignment => costs.Missing(assignment.Range.First, assignment.Range.End, held.GetValueOrDefault(assignment.Device)));
    }

    private static void Check(ServedModel model, PlacementDevice[] devices, PlacementPlan plan)
    {
        var costs = new UnitCosts(model);
        var byId = devices.ToDictionary(device => device.Device);
        foreach (var assignment in plan.Assignments)
        {
            var device = byId[assignment.Device];
            Assert.True(device is { HasFiles: true, Leaving: false } && costs.Bytes(assignment.Range) <= device.WeightBytes, $"{assignment}");
        }

        var able = devices.Where(device => device is { HasFiles: true, Leaving: false }).Select(device => device.WeightBytes).ToArray();
        Assert.Equal(CanCover(costs, able, 0, 0), plan.Problem is null);
        if (plan.Problem is null)
        {
            PlacementPlannerTests.AssertCovers(model, plan);
        }
    }

    /// <summary>Every order of devices, every end of each range.</summary>
    private static bool CanCover(UnitCosts costs, long[] memory, int used, int unit)
        => unit == costs.Count || Enumerable.Range(0, memory.Length).Any(device => (used & (1 << device)) == 0
            && Enumerable.Range(unit + 1, costs.Count - unit).Any(end => costs.Bytes(unit, end) <= memory[device] && CanCover(costs, memory, used | (1 << device), end)));

    /// <summary>The least time of the slowest of <paramref name="hops"/> more devices, over every order and division.</summary>
    private static double Best(UnitCosts costs, PlacementDevice[] devices, int used, int unit, int hops)
        => hops == 0
            ? unit == costs.Count ? 0 : double.PositiveInfinity
            : Enumerable.Range(0, devices.Length).Where(device => (used & (1 << device)) == 0).Min(device => Enumerable.Range(unit + 1, costs.Count - unit)
                .Select(end => Math.Max(costs.Reads(unit, end) / devices[device].BytesPerSecond, Best(costs, devices, used | (1 << device), end, hops - 1)))
                .DefaultIfEmpty(double.PositiveInfinity)
                .Min());

    private static double Seconds(UnitCosts costs, PlacementDevice[] devices, Assignment assignment)
        => costs.Reads(assignment.Range) / devices.Single(device => device.Device == assignment.Device).BytesPerSecond;
}
