using EFedLLM.Compression.Evaluation;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Tests.Evaluation;

public sealed class SideBySideTests : IDisposable
{
    private const int Chunk = 20;
    private const int Start = 2;

    private static readonly int[] Tokens = [.. Enumerable.Range(0, 70).Select(index => index * 17 % 53)];

    private readonly ScratchFolder _scratch = new();
    private readonly ComputeTeam _team = new(2);
    private readonly Checkpoint _checkpoint;

    public SideBySideTests() => _checkpoint = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("checkpoint")));

    public void Dispose()
    {
        _checkpoint.Dispose();
        _team.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public void A_model_against_itself_does_not_diverge_and_always_agrees()
    {
        using var shard = Load(_checkpoint);
        using var again = Load(_checkpoint);
        var scores = SideBySide.Measure(shard, [again], Tokens, Start, Chunk, _team);
        Assert.Equal(scores[0], scores[1]);
        Assert.Equal((70, 0.0, 0.0, 1.0, 0.0), (scores[1].Tokens, scores[1].MeanKl, scores[1].P99Kl, scores[1].Top1Agreement, scores[1].PerplexityChange(scores[0])));
    }

    [Fact]
    public void Every_number_is_what_the_logits_of_all_positions_give()
    {
        using var model = Compressed("svd", new CompressionSettings { Profile = CompressionProfile.Svd, Keep = 0.5 });
        using var reference = Load(_checkpoint);
        using var shard = Load(model);

        var scores = SideBySide.Measure(reference, [shard], Tokens, Start, Chunk, _team)[1];

        var (expected, actual) = (AllLogits(_checkpoint), AllLogits(model));
        var divergences = expected.Zip(actual, (a, b) => PlainKl(a, b)).ToArray();
        Assert.Equal(Tokens.Select((token, at) => Nll(actual[at], token)).Average(), scores.MeanNll, 1e-5);
        Assert.Equal(Math.Exp(scores.MeanNll), scores.Perplexity, 1e-9 * scores.Perplexity);
        Assert.Equal(divergences.Average(), scores.MeanKl, 1e-9);
        Assert.Equal(divergences.Order().ElementAt(69), scores.P99Kl, 1e-9);
        Assert.Equal(expected.Zip(actual, (a, b) => Array.IndexOf(a, a.Max()) == Array.IndexOf(b, b.Max())).Count(same => same) / 70.0, scores.Top1Agreement);
        Assert.InRange(scores.MeanKl, 1e-4, 10);
    }

    [Fact]
    public void Several_models_have_the_scores_that_each_has_alone()
    {
        using var eight = Compressed("int8", new CompressionSettings());
        using var svd = Compressed("svd", new CompressionSettings { Profile = CompressionProfile.Svd, Keep = 0.5 });
        using var reference = Load(_checkpoint);
        using var first = Load(eight);
        using var second = Load(svd);

        var together = SideBySide.Measure(reference, [first, second], Tokens, Start, Chunk, _team);

        Assert.Equal(SideBySide.Measure(reference, [first], Tokens, Start, Chunk, _team)[1], together[1]);
        Assert.Equal(SideBySide.Measure(reference, [second], Tokens, Start, Chunk, _team)[1], together[2]);
        using var meter = new PerplexityMeter(svd, _team);
        Assert.Equal(meter.Measure(Tokens, Start, Chunk).MeanNll, together[2].MeanNll);
        Assert.True(together[1].MeanKl < together[2].MeanKl);
    }

    [Fact]
    public void What_cannot_be_compared_is_refused()
    {
        using var reference = Load(_checkpoint);
        Assert.Throws<ArgumentException>(() => SideBySide.Measure(reference, [], Array.Empty<int>(), Start, Chunk, _team));
        Assert.Throws<ArgumentOutOfRangeException>(() => SideBySide.Measure(reference, [], Tokens, Start, 65, _team));
        Assert.Throws<ArgumentOutOfRangeException>(() => SideBySide.Measure(reference, [], Tokens, 53, Chunk, _team));
        Assert.Throws<OperationCanceledException>(() => SideBySide.Measure(reference, [], Tokens, Start, Chunk, _team, null, new CancellationToken(canceled: true)));
    }

    [SharedFact]
    public void Models_of_other_vocabularies_are_refused()
    {
        using var reference = Load(_checkpoint);
        using var other = Checkpoint.Open(SharedModels.Model("stories260K"));
        using var shard = Load(other);
        var error = Assert.Throws<ArgumentException>(() => SideBySide.Measure(reference, [shard], Tokens, Start, Chunk, _team));
        Assert.Contains("512", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(99, 99)]
    [InlineData(100, 99)]
    [InlineData(101, 100)]
    [InlineData(200, 198)]
    public void Ninety_nine_per_cent_do_not_exceed_the_percentile(int count, int expected) =>
        Assert.Equal(expected, SideBySide.NearestRank([.. Enumerable.Range(1, count).Reverse().Select(value => (double)value)], 0.99));

    [Fact]
    public void Errors_of_layers_are_those_of_the_residual_stream()
    {
        using var model = Compressed("svd", new CompressionSettings { Profile = CompressionProfile.Svd, Keep = 0.5 });
        var errors = LayerErrors.Measure(_checkpoint, [_checkpoint, model], Tokens, Start, Chunk, _team);
        Assert.Equal([0, 0, 0, 0], errors[0]);
        Assert.Equal(4, errors[1].Count);
        for (var unit = 0; unit < 4; unit++)
        {
            var (expected, actual) = (Stream(_checkpoint, unit + 1), Stream(model, unit + 1));
            var difference = Math.Sqrt(expected.Zip(actual, (a, b) => Math.Pow((double)a - b, 2)).Sum());
            Assert.Equal(difference / Math.Sqrt(expected.Sum(value => (double)value * value)), errors[1][unit], 1e-9);
            Assert.True(errors[1][unit] > 0);
        }
    }

    [Fact]
    public void Errors_of_layers_need_models_of_one_shape()
    {
        using var other = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("other"), tied: true));
        Assert.Single(LayerErrors.Measure(_checkpoint, [other], Tokens, Start, Chunk, _team));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerErrors.Measure(_checkpoint, [], Array.Empty<int>(), Start, Chunk, _team));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerErrors.Measure(_checkpoint, [], Tokens, Start, 0, _team));
        Assert.Throws<OperationCanceledException>(() => LayerErrors.Measure(_checkpoint, [], Tokens, Start, Chunk, _team, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void Decoding_has_a_speed_whatever_the_context()
    {
        using var shard = Load(_checkpoint);
        Assert.InRange(DecodeSpeed.Measure(shard, Tokens, _team), 1, 1e7);
        Assert.Throws<ArgumentOutOfRangeException>(() => DecodeSpeed.Measure(shard, Array.Empty<int>(), _team));
        Assert.Throws<OperationCanceledException>(() => DecodeSpeed.Measure(shard, Tokens, _team, new CancellationToken(canceled: true)));
    }

    private static TransformerShard Load(IModelSource source) => TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers));

    private static double PlainKl(float[] reference, float[] model)
    {
        var (sumP, sumQ) = (reference.Sum(logit => Math.Exp(logit)), model.Sum(logit => Math.Exp(logit)));
        return reference.Zip(model, (a, b) => Math.Exp(a) / sumP * ((double)a - b - Math.Log(sumP) + Math.Log(sumQ))).Sum();
    }

    private static double Nll(float[] logits, int token) => Math.Log(logits.Sum(logit => Math.Exp(logit))) - logits[token];

    private FactoredModel Compressed(string name, CompressionSettings settings) =>
        FactoredModel.Open(Compressor.Run(_checkpoint, _scratch.File(name), settings).Folder);

    /// <summary>The logits of every position, all kept, by a pipeline of two shards.</summary>
    private float[][] AllLogits(IModelSource source)
    {
        using var pipeline = new ShardPipeline(source, _team, 2);
        return [.. Tokens.Chunk(Chunk).SelectMany(part => pipeline.Feed([Start, .. part[..^1]], 7).Chunk(53))];
    }

    /// <summary>The residual stream of every position behind the units [0, end).</summary>
    private float[] Stream(IModelSource source, int end)
    {
        using var shard = TransformerShard.Load(source, new LayerRange(0, end));
        return [.. Tokens.Chunk(Chunk).SelectMany(part =>
        {
            using var cache = shard.CreateCache(part.Length);
            var hidden = new float[part.Length * 40];
            shard.Forward([new ShardStep { Cache = cache, Count = part.Length, Tokens = (int[])[Start, .. part[..^1]], Hidden = hidden }], _team);
            return hidden;
        })];
    }
}
