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
}
