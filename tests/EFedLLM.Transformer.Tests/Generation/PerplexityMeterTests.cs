using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Blocks;

namespace EFedLLM.Transformer.Tests.Generation;

public sealed class PerplexityMeterTests : IDisposable
{
    private readonly RandomCheckpoint _checkpoint = new(seed: 71);
    private readonly ComputeTeam _team = new(1);
    private readonly PerplexityMeter _meter;

    public PerplexityMeterTests() => _meter = new PerplexityMeter(_checkpoint.Source, _team);

    [Theory]
    [InlineData(1, 5)]
    [InlineData(20, 20)]
    [InlineData(50, 20)]
    [InlineData(3, 64)]
    public void Every_token_is_scored_by_the_logits_before_it(int count, int chunk)
    {
        var tokens = _checkpoint.Tokens(seed: 72, count);
        var plain = new PlainTransformer(_checkpoint.Source);
        var costs = tokens.Chunk(chunk).Select(part =>
        {
            var logits = plain.Logits([3, .. part[..^1]]);
            return part.Select((token, i) => Math.Log(logits[i].Sum(Math.Exp)) - logits[i][token]).Sum();
        }).ToArray();

        var result = _meter.Measure(tokens, startToken: 3, chunk);

        Assert.Equal(count, result.Tokens);
        Assert.Equal(costs.Sum() / count, result.MeanNll, 1e-4);
        Assert.Equal(Math.Exp(result.MeanNll), result.Perplexity, 1e-9);
        Assert.Equal((count + chunk - 1) / chunk, result.ChunkMeanNll.Length);
        Assert.Equal(costs[^1] / ((count - 1) % chunk + 1), result.ChunkMeanNll[^1], 1e-4);
    }

    [Fact]
    public void Chunks_too_long_for_one_batch_give_the_same()
    {
        // A vocabulary so large that a batch has 40 rows: chunks of 60 go in two pieces, chunks of 20 two at a time.
        using var wide = new RandomCheckpoint(seed: 73, ("vocab_size", "200000"));
        using var meter = new PerplexityMeter(wide.Source, _team);
        var tokens = wide.Tokens(seed: 74, 60);
        var seen = new List<int>();

        var whole = meter.Measure(tokens, 0, 60, new Listener(seen));
        var first = meter.Measure(tokens.AsMemory(0, 20), 0, 20);

        Assert.Equal([41, 60], seen);
        Assert.InRange(whole.MeanNll, 5, 50);
        Assert.Equal(first.MeanNll, meter.Measure(tokens, 0, 20).ChunkMeanNll[0]);
    }

    [Fact]
    public void What_cannot_be_measured_is_refused()
    {
        Assert.Throws<ArgumentException>(() => _meter.Measure(Array.Empty<int>(), 0, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => _meter.Measure(new int[3], 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => _meter.Measure(new int[3], 0, 65));
        Assert.Throws<ArgumentOutOfRangeException>(() => _meter.Measure(new int[3], 11, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => _meter.Measure(new[] { 0, -1, 2 }, 0, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => _meter.Measure(new[] { 0, 1, 11 }, 0, 5));
        Assert.Throws<OperationCanceledException>(() => _meter.Measure(new int[3], 0, 5, cancellation: new CancellationToken(canceled: true)));
    }

    public void Dispose()
    {
        _meter.Dispose();
        _team.Dispose();
        _checkpoint.Dispose();
    }

    private sealed class Listener(List<int> seen) : IProgress<int>
    {
        public void Report(int value) => seen.Add(value);
    }
}
