using EFedLLM.Node.Bench;
using EFedLLM.Node.CommandLine;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Tests.Bench;

public sealed class VersusBenchTests
{
    [PeerFact]
    public async Task Both_take_as_many_turns_and_the_ratio_is_that_of_their_medians()
    {
        using var small = new SmallModel();
        using var peer = new FakePeer($"""
            echo turn >> "$2.turns"
            {FakePeer.Answer}
            """);
        var report = await VersusBench.RunAsync(small.Model, peer.Start(), [1], FakePeer.Settings, CancellationToken.None);
        Assert.Equal(("small", "fake-llama-bench", 3), (report.Model, report.Peer, report.Repetitions));
        Assert.Equal(
            [("prefill", 1, 8, 100.0), ("decode", 1, 4, 50.0)], report.Samples.Select(sample => (sample.Phase, sample.Threads, sample.Tokens, sample.PeerTokensPerSecond)));
        Assert.All(report.Samples, sample => Assert.Equal(sample.TokensPerSecond / sample.PeerTokensPerSecond, sample.Ratio));

        // One more goes before those that count.
        Assert.Equal(FakePeer.Settings.Repetitions + 1, (await File.ReadAllLinesAsync($"{peer.Model}.turns")).Length);
    }

    [PeerFact]
    public async Task A_peer_that_ignores_the_number_of_threads_is_not_compared_with()
    {
        using var small = new SmallModel();
        using var peer = new FakePeer(FakePeer.Answer);
        var failure = await Assert.ThrowsAsync<UserErrorException>(() => VersusBench.RunAsync(small.Model, peer.Start(), [2], FakePeer.Settings, CancellationToken.None));
        Assert.Contains("n_threads 1, but 2 were asked for", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_spread_of_the_ratio_is_that_of_single_turns()
    {
        var sample = VersusSample.Of("decode", 1, 4, [20, 40, 60], [10, 10, 30]);
        Assert.Equal((40, 10, 4.0), (sample.TokensPerSecond, sample.PeerTokensPerSecond, sample.Ratio));

        // The turns' ratios are 2, 4 and 2: their quartiles are 2 and 3.
        Assert.Equal(0.5, sample.RatioDeviation);
    }

    [SharedFact]
    public void A_model_of_another_shape_is_refused()
    {
        using var own = Checkpoint.Open(SharedModels.Model("stories260K"));
        Assert.Null(VersusBench.CheckShape(own.Shape, SharedModels.Model("stories260K")));
        var failure = Assert.Throws<UserErrorException>(() => VersusBench.CheckShape(own.Shape, SharedModels.Model("stories3M")));
        Assert.Contains("a ratio would mean nothing", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_only_the_peer_can_read_is_a_doubt_and_no_failure()
    {
        using var small = new SmallModel();
        using var peer = new FakePeer("no GGUF");
        Assert.Contains("could not be told", VersusBench.CheckShape(small.Model.Shape, peer.Model), StringComparison.Ordinal);
    }
}
