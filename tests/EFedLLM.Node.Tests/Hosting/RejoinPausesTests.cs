using EFedLLM.Node.Hosting;

namespace EFedLLM.Node.Tests.Hosting;

public class RejoinPausesTests
{
    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(1, 1)]
    [InlineData(5, 16)]
    [InlineData(6, 30)]
    [InlineData(int.MaxValue, 30)]
    public void A_node_that_was_removed_asks_less_and_less_often(int attempt, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), RejoinPauses.Before(attempt));
}
