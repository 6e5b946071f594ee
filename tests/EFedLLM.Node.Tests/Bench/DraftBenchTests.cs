using EFedLLM.Actors.Configuration;
using EFedLLM.Node.Bench;

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

    [Fact]
    public void What_was_answered_is_asked_again()
    {
        var lines = DraftBench.Asked("January and so on.");
        Assert.Equal(["user", "assistant", "user", "assistant", "user"], lines.Select(line => line.Role));
        Assert.All(lines, line => Assert.Equal(line.Role == "assistant" ? "January and so on." : lines[0].Content, line.Content));
    }
}
