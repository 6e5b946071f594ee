using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Blocks;

public sealed class InputObserverTests : IDisposable
{
    private readonly RandomCheckpoint _checkpoint = new(seed: 41, ("intermediate_size", "24"), ("head_dim", "10"));
    private readonly ComputeTeam _team = new(1);

    [Fact]
    public void It_sees_the_input_of_every_place_in_the_order_of_computing_and_changes_nothing()
    {
        using var shard = TransformerShard.Load(_checkpoint.Source, LayerRange.Whole(2));
        var plain = Forward(shard, 5, 2);
        var recorder = new Recorder();
        shard.InputObserver = recorder;
        var observed = Forward(shard, 5, 2);

        Assert.Equal(plain.Hidden.ToArray(), observed.Hidden.ToArray());
        Assert.Equal(plain.Logits.ToArray(), observed.Logits.ToArray());
        InputSite[] sites = [InputSite.Attention, InputSite.Output, InputSite.FeedForward, InputSite.Down];
        Assert.Equal(
            [.. sites.Select(site => (1, site, 5)), .. sites.Select(site => (2, site, 5)), (3, InputSite.Head, 2)],
            recorder.Seen.Select(input => (input.Unit, input.Site, input.Rows)));
        foreach (var (unit, site, rows, x) in recorder.Seen)
        {
            Assert.Equal(rows * ManifestLayout.Sites(shard.Shape, unit).First(matrix => matrix.Input == site).Inputs, x.Length);
        }

        shard.InputObserver = null;
        Forward(shard, 5, 2);
        Assert.Equal(9, recorder.Seen.Count);
    }

    [Fact]
    public void What_it_sees_is_what_the_matrices_multiply()
    {
        using var shard = TransformerShard.Load(_checkpoint.Source, LayerRange.Whole(2));
        var recorder = new Recorder();
        shard.InputObserver = recorder;
        var step = Forward(shard, 4, 3);
        var layer = _checkpoint.Source.LoadLayer(1);
        var (gates, ups) = (Apply(layer.Gate, recorder.X(2, InputSite.FeedForward), 4), Apply(layer.Up, recorder.X(2, InputSite.FeedForward), 4));
        for (var row = 0; row < 4; row++)
        {
            FloatKernels.Best.SwiGlu(gates.AsSpan(row * 24, 24), ups.AsSpan(row * 24, 24));
        }

        Assert.Equal(gates, recorder.X(2, InputSite.Down));
        Assert.Equal(step.Logits.ToArray(), Apply(_checkpoint.Source.LoadHead().Projection, recorder.X(3, InputSite.Head), 3));

        // The residual stream grows by what the output and down projections make of what they are seen to take.
        var (attended, down) = (Apply(layer.Output, recorder.X(2, InputSite.Output), 4), Apply(layer.Down, recorder.X(2, InputSite.Down), 4));
        var first = new Recorder();
        using var lower = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 2));
        lower.InputObserver = first;
        var hidden = Forward(lower, 4, 0).Hidden.ToArray();
        Assert.Equal(recorder.Seen.Take(4).SelectMany(input => input.X), first.Seen.SelectMany(input => input.X));
        for (var row = 0; row < 4; row++)
        {
            var normed = new float[8];
            FloatKernels.Best.RmsNorm(hidden.AsSpan(row * 8, 8), layer.InputNorm, shard.Shape.NormEpsilon, normed);
            Assert.Equal(normed, recorder.X(2, InputSite.Attention)[(row * 8)..(row * 8 + 8)]);
        }

        FloatKernels.Best.Add(hidden, attended);
        FloatKernels.Best.Add(hidden, down);
        Assert.Equal(step.Hidden.ToArray(), hidden);
    }

    [Fact]
    public void A_shard_in_the_middle_names_the_units_of_the_model()
    {
        using var shard = TransformerShard.Load(_checkpoint.Source, new LayerRange(2, 4));
        var recorder = new Recorder();
        shard.InputObserver = recorder;
        Forward(shard, 1, 0);
        Forward(shard, 1, 1);
        Assert.Equal([2, 2, 2, 2, 2, 2, 2, 2, 3], recorder.Seen.Select(input => input.Unit));
    }

    [Fact]
    public void What_it_throws_ends_the_pass_as_if_nothing_had_been_computed()
    {
        using var shard = TransformerShard.Load(_checkpoint.Source, LayerRange.Whole(2));
        var expected = Forward(shard, 3, 1);
        shard.InputObserver = new Recorder { Failing = InputSite.Down };
        var step = Step(shard, 3, 1);
        Assert.Throws<OperationCanceledException>(() => shard.Forward([step], _team));
        Assert.Equal(0, step.Cache.Length);

        shard.InputObserver = null;
        shard.Forward([step], _team);
        Assert.Equal(expected.Logits.ToArray(), step.Logits.ToArray());
    }

    public void Dispose()
    {
        _checkpoint.Dispose();
        _team.Dispose();
    }

    private static ShardStep Step(TransformerShard shard, int count, int logitRows) => new()
    {
        Cache = shard.CreateCache(60),
        Count = count,
        Tokens = Enumerable.Range(0, count).ToArray(),
        Hidden = new float[count * shard.Shape.HiddenSize],
        LogitRows = logitRows,
        Logits = new float[logitRows * shard.Shape.VocabularySize],
    };

    private ShardStep Forward(TransformerShard shard, int count, int logitRows)
    {
        var step = Step(shard, count, logitRows);
        shard.Forward([step], _team);
        return step;
    }

    private float[] Apply(LinearLayer layer, float[] x, int rows)
    {
        var y = new float[rows * layer.Outputs];
        layer.Apply(x, rows, y, new LinearWorkspace(), _team);
        return y;
    }

    private sealed class Recorder : IInputObserver
    {
        public List<(int Unit, InputSite Site, int Rows, float[] X)> Seen { get; } = [];

        public InputSite? Failing { get; init; }

        public float[] X(int unit, InputSite site) => Seen.Single(input => input.Unit == unit && input.Site == site).X;

        public void Observe(int unit, InputSite site, ReadOnlySpan<float> x, int rows)
        {
            Seen.Add((unit, site, rows, x.ToArray()));
            if (site == Failing)
            {
                throw new OperationCanceledException();
            }
        }
    }
}
