using EFedLLM.Actors.Configuration;
using EFedLLM.Node.Bench;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.Bench;

public sealed class DraftBenchTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(1000)]
    public void The_settings_of_a_measurement_delay_as_long_as_is_asked_for_and_let_guess(int milliseconds)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, DraftBench.Configuration(TimeSpan.FromMilliseconds(milliseconds)));
            var limits = NodeLimits.Read(NodeConfiguration.Build(new NodeSettings { Roles = [ClusterNames.Anchor], DataFolder = Path.GetTempPath(), ConfigurationFile = file }));
            Assert.Equal((TimeSpan.FromMilliseconds(milliseconds), 7), (limits.SendDelay, limits.Drafts));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("1001")]
    [InlineData("soon")]
    public void A_delay_that_no_hop_may_have_is_named(string delay)
        => Assert.Contains(new BenchCommand().Parse(["--speculate", "--hop-delay", delay]).Errors, error => error.Message == "--hop-delay must be a whole number from 0 to 1000.");

    [Fact]
    public void The_longest_delay_is_taken() => Assert.Empty(new BenchCommand().Parse(["--speculate", "--hop-delay", "1000"]).Errors);

    [Fact]
    public void What_was_answered_is_asked_again()
    {
        var lines = DraftBench.Asked("January and so on.");
        Assert.Equal(["user", "assistant", "user", "assistant", "user"], lines.Select(line => line.Role));
        Assert.All(lines, line => Assert.Equal(line.Role == "assistant" ? "January and so on." : lines[0].Content, line.Content));
    }
}
