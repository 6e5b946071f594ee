using EFedLLM.Node.Api;
using EFedLLM.Node.Bench;

namespace EFedLLM.Node.Tests.CommandLine;

public class StatisticsTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 2.5)]
    [InlineData(1, 4)]
    public void Quantiles_lie_between_the_neighbours(double share, double expected) => Assert.Equal(expected, Statistics.Quantile([4, 1, 3, 2], share));

    [Fact]
    public void One_value_does_not_deviate() => Assert.Equal(0, Statistics.Deviation([7]));

    [Fact]
    public void The_time_between_devices_is_what_computing_leaves()
    {
        var timing = new AnswerTiming(8, 3, 0, PrefillMilliseconds: 10, DecodeMilliseconds: 12, HopComputeMilliseconds: [9, 9]);
        Assert.Equal([1, 3], ClusterBench.HopTimes(timing, reading: 10, [6, 10], hops: 2));
    }
}
