using EFedLLM.Node.Bench;

namespace EFedLLM.Node.Tests.Bench;

public sealed class ProcessBenchTests
{
    private static readonly BenchSettings Settings = new() { PromptTokens = 5, DecodeTokens = 4, Chunk = 3, Repetitions = 2 };

    [Fact]
    public void Sessions_at_once_share_the_weights_that_a_token_reads()
    {
        using var small = new SmallModel();
        var samples = ProcessBench.Run(small.Model, 2, Settings with { Sessions = 3 }, CancellationToken.None);
        Assert.Equal(["prefill", "decode", "decode x 3"], samples.Select(sample => sample.Phase));
        Assert.Equal(12, samples[2].Tokens);
        Assert.Equal(samples[1].WeightBytesPerToken / 3, samples[2].WeightBytesPerToken);
        Assert.All(samples, sample => Assert.True(sample.TokensPerSecond > 0 && double.IsFinite(sample.TokensPerSecond)));
    }

    [Fact]
    public void One_session_is_measured_alone()
    {
        using var small = new SmallModel();
        Assert.Equal(["prefill", "decode"], ProcessBench.Run(small.Model, 1, Settings, CancellationToken.None).Select(sample => sample.Phase));
        using var session = new ProcessSession(small.Model, 1, Settings);
        Assert.Throws<InvalidOperationException>(() => session.DecodeTogether(CancellationToken.None));
    }
}
