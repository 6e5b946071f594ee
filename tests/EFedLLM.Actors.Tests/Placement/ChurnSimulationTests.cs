using EFedLLM.Actors.Placement.Simulation;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class ChurnSimulationTests
{
    [Fact]
    public void The_same_seed_gives_the_same_cluster_and_another_seed_another()
    {
        var (one, again, other) = (Run(60, 5, 1), Run(60, 5, 1), Run(60, 5, 2));
        Assert.Equal(one, again);
        Assert.NotEqual(one, other);
    }

    [Fact]
    public void A_hundred_devices_that_come_and_go_always_have_a_route_and_nearly_all_loading_is_of_those_that_come()
    {
        var result = Run(100, 10, 3);
        Assert.InRange(result.Departures, 60, 140);
        Assert.Equal(1, result.Availability, 6);
        Assert.True(result.Redundancy > 0.999, $"{result.Redundancy}");
        Assert.InRange(result.Hops, 1, 12);
        Assert.True(result.MovedModelsPerHour < result.ArrivalModelsPerHour, $"{result}");
    }

    [Fact]
    public void Where_nobody_goes_nothing_is_loaded()
    {
        var result = ChurnSimulation.Run(new ChurnSettings { Devices = 50, ChurnPerHour = 0, Duration = TimeSpan.FromHours(1), Seed = 1 });
        Assert.Equal((0, 1, 0.0, 0.0, 1.0), (result.Departures, result.Plans, result.ArrivalModelsPerHour, result.MovedModelsPerHour, result.Availability));
    }

    [Fact]
    public void Devices_that_cannot_hold_the_model_have_no_route()
        => Assert.Equal(0, ChurnSimulation.Run(new ChurnSettings { Devices = 1, ChurnPerHour = 0, Duration = TimeSpan.FromHours(1), Seed = 1 }).Availability);

    [Theory]
    [InlineData(0, 0.1, 1)]
    [InlineData(100_001, 0.1, 1)]
    [InlineData(10, -1, 1)]
    [InlineData(10, 0.1, 0)]
    public void An_impossible_setting_is_refused(int devices, double churn, double hours)
        => Assert.Throws<ArgumentOutOfRangeException>(() => ChurnSimulation.Run(
            new ChurnSettings { Devices = devices, ChurnPerHour = churn, Duration = TimeSpan.FromHours(hours), Seed = 1 }));

    /// <summary>With a churn of a tenth an hour, and without what no seed decides.</summary>
    private static ChurnResult Run(int devices, int hours, int seed)
        => ChurnSimulation.Run(new ChurnSettings { Devices = devices, ChurnPerHour = 0.1, Duration = TimeSpan.FromHours(hours), Seed = seed }) with
        {
            FirstPlan = default,
            MedianPlan = default,
            LongestPlan = default,
        };
}
