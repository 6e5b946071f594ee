using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Blocks;

public sealed class TransformerShardTests : IDisposable
{
    private readonly RandomCheckpoint _checkpoint = new(seed: 31);
    private readonly ComputeTeam _team = new(1);
    private readonly TransformerShard _whole;
    private readonly TransformerShard _middle;

    public TransformerShardTests()
    {
        _whole = TransformerShard.Load(_checkpoint.Source, LayerRange.Whole(2));
        _middle = TransformerShard.Load(_checkpoint.Source, new LayerRange(1, 3));
    }

    [Fact]
    public void A_step_in_the_steady_state_allocates_nothing()
    {
        var steps = Enumerable.Range(0, 3).Select(_ => Step(_whole, 1)).ToArray();
        for (var i = 0; i < 5; i++)
        {
            _whole.Forward(steps, _team);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 40; i++)
        {
            _whole.Forward(steps, _team);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(45, steps[2].Cache.Length);
    }

    [Fact]
    public void Weights_are_counted_as_they_are_held_and_read()
    {
        var units = Enumerable.Range(0, _checkpoint.Shape.Units).Select(_checkpoint.Source.UnitBytes).ToArray();
        using var first = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 1));

        Assert.Equal(units.Sum(), _whole.WeightBytes);
        Assert.Equal(units[1] + units[2], _middle.WeightBytes);
        Assert.Equal(_middle.WeightBytes, _middle.WeightBytesPerToken);
        Assert.Equal(units.Sum() - units[0] + 8 * sizeof(float), _whole.WeightBytesPerToken);
        Assert.Equal(8 * sizeof(float), first.WeightBytesPerToken);
    }

    [Fact]
    public void Every_shard_hands_out_the_residual_stream()
    {
        using var first = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 3));
        using var embedding = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 1));
        using var last = TransformerShard.Load(_checkpoint.Source, new LayerRange(3, 4));
        var (whole, one, two) = (Step(_whole, 4), Step(first, 4), Step(embedding, 4));
        whole.Hidden = new float[4 * 8];
        _whole.Forward([whole], _team);
        first.Forward([one], _team);
        embedding.Forward([two], _team);
        var middle = Step(_middle, 4);
        middle.Hidden = two.Hidden.ToArray();
        _middle.Forward([middle], _team);
        var end = Step(last, 4);
        end.Hidden = one.Hidden.ToArray();
        last.Forward([end], _team);

        Assert.Equal(_checkpoint.Source.Read("model.embed_tokens.weight", 11, 8).AsSpan(8, 8).ToArray(), two.Hidden[8..16].ToArray());
        Assert.Equal(one.Hidden.ToArray(), whole.Hidden.ToArray());
        Assert.Equal(one.Hidden.ToArray(), middle.Hidden.ToArray());
        Assert.Equal(one.Hidden.ToArray(), end.Hidden.ToArray());
        Assert.Equal(whole.Logits.ToArray(), end.Logits.ToArray());
    }

    [Fact]
    public void Logits_are_those_of_the_last_positions_asked_for()
    {
        var (all, last, none) = (Step(_whole, 5), Step(_whole, 5), Step(_whole, 5));
        (all.LogitRows, all.Logits) = (5, new float[5 * 11]);
        (none.LogitRows, none.Logits) = (0, default);

        _whole.Forward([last, none, all], _team);

        Assert.Equal(all.Logits[44..].ToArray(), last.Logits.ToArray());
        Assert.Equal(5, none.Cache.Length);
    }

    [Fact]
    public void Batches_that_make_no_sense_are_refused_before_anything_changes()
    {
        var good = Step(_middle, 2);
        AssertRefused<ArgumentException>("at least one step");
        AssertRefused<ArgumentException>("same cache", good, With(step => step.Cache = good.Cache));
        AssertRefused<ArgumentOutOfRangeException>("at least one position", good, With(step => step.Count = 0));
        AssertRefused<ArgumentOutOfRangeException>("at least one position", good, With(step => step.Count = int.MinValue));
        AssertRefused<ArgumentOutOfRangeException>("no room", good, With(step => step.Cache = _middle.CreateCache(1)));
        AssertRefused<ArgumentOutOfRangeException>("no room", good, With(step => step.Count = int.MaxValue));
        AssertRefused<ArgumentException>("hidden values", good, With(step => step.Hidden = new float[15]));
        AssertRefused<ArgumentException>("hidden values", good, With(step => step.Hidden = default));
        AssertRefused<ArgumentException>("another model", good, With(step => step.Cache = _whole.CreateCache(9)));
        AssertRefused<ArgumentException>("no cache", good, With(step => step.Cache = null!));
        AssertRefused<ArgumentException>("null", good, null!);
        var disposed = _middle.CreateCache(9);
        disposed.Dispose();
        AssertRefused<ObjectDisposedException>("KvCache", good, With(step => step.Cache = disposed));

        Assert.Equal(0, good.Cache.Length);
        Assert.Equal(0, good.Cache.AllocatedBytes);
        Assert.All(good.Hidden.ToArray(), value => Assert.Equal(0.5f, value));

        ShardStep With(Action<ShardStep> change)
        {
            var step = Step(_middle, 2);
            change(step);
            return step;
        }
    }

    [Fact]
    public void Tokens_and_logits_that_do_not_fit_are_refused()
    {
        foreach (var token in new[] { -1, 11, int.MaxValue })
        {
            var step = Step(_whole, 2);
            step.Tokens = new[] { 0, token };
            Assert.Contains("vocabulary", Assert.Throws<ArgumentOutOfRangeException>(() => _whole.Forward([step], _team)).Message, StringComparison.Ordinal);
        }

        var longer = Step(_whole, 2);
        longer.Tokens = new int[3];
        Assert.Throws<ArgumentException>(() => _whole.Forward([longer], _team));
        var many = Step(_whole, 2);
        many.LogitRows = 3;
        Assert.Throws<ArgumentOutOfRangeException>(() => _whole.Forward([many], _team));
        var narrow = Step(_whole, 2);
        narrow.Logits = new float[10];
        Assert.Throws<ArgumentException>(() => _whole.Forward([narrow], _team));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void An_input_that_is_not_finite_names_its_step_and_harms_no_other(float bad)
    {
        var (good, poisoned) = (Step(_middle, 2), Step(_middle, 3));
        poisoned.Hidden.Span[17] = bad;

        var error = Assert.Throws<NonFiniteStepException>(() => _middle.Forward([good, poisoned], _team));

        Assert.Equal(1, error.Step);
        Assert.Equal((0, 0), (good.Cache.Length, poisoned.Cache.Length));
        AssertComputesAsIfNothingHappened(good);
    }

    [Fact]
    public void A_result_that_overflows_names_its_step_and_harms_no_other()
    {
        using var source = new ScaledSource(_checkpoint.Source, 4.8e38);
        using var shard = TransformerShard.Load(source, new LayerRange(1, 3));
        var (other, overflowing) = (Step(shard, 2), Step(shard, 1));
        other.Hidden.Span.Clear();

        var error = Assert.Throws<NonFiniteStepException>(() => shard.Forward([other, overflowing], _team));

        Assert.Equal(1, error.Step);
        Assert.Equal((0, 0), (other.Cache.Length, overflowing.Cache.Length));
        Assert.All(overflowing.Hidden.ToArray(), value => Assert.Equal(0.5f, value));
        shard.Forward([other], _team);
        Assert.Equal(2, other.Cache.Length);
    }

    [Fact]
    public void A_key_that_overflows_names_its_step_and_harms_no_other()
    {
        using var source = new ScaledSource(_checkpoint.Source, 4.8e38, scalesKeys: true);
        using var shard = TransformerShard.Load(source, new LayerRange(1, 3));
        var (other, overflowing) = (Step(shard, 2), Step(shard, 1));
        other.Hidden.Span.Clear();

        var error = Assert.Throws<NonFiniteStepException>(() => shard.Forward([other, overflowing], _team));

        Assert.Contains("The key of step 1 in layer 0", error.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0), (other.Cache.Length, overflowing.Cache.Length));
        shard.Forward([other], _team);
    }

    [Fact]
    public void Keys_larger_than_any_half_are_attended_to_as_the_largest_one()
    {
        using var source = new ScaledSource(_checkpoint.Source, 1e30, scalesKeys: true);
        using var shard = TransformerShard.Load(source, new LayerRange(1, 3));
        var (together, apart) = (Step(shard, 5), Step(shard, 1));
        shard.Forward([together], _team);
        for (var position = 0; position < 5; position++)
        {
            apart.Hidden.Span.Fill(0.5f);
            shard.Forward([apart], _team);
        }

        var kept = new Half[together.Cache.PositionValues];
        together.Cache.Export(4, 0, kept);
        Assert.Contains(Half.MaxValue, kept);
        Assert.All(kept, value => Assert.True(Half.IsFinite(value)));
        Assert.Equal(together.Hidden[^8..].ToArray(), apart.Hidden.ToArray());
    }

    [Fact]
    public void Ranges_and_weights_that_the_shape_does_not_call_for_are_refused()
    {
        foreach (var range in new[] { new LayerRange(0, 0), new LayerRange(-1, 2), new LayerRange(3, 5), new LayerRange(2, 1) })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => TransformerShard.Load(_checkpoint.Source, range));
        }

        using var other = new RandomCheckpoint(seed: 32, ("intermediate_size", "16"));
        using var mixed = new ScaledSource(other.Source, 1, _checkpoint.Shape);
        Assert.Contains("gate projection", Assert.Throws<InvalidDataException>(() => TransformerShard.Load(mixed, new LayerRange(1, 2))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disposed_shard_computes_nothing()
    {
        var step = Step(_whole, 1);
        _whole.Dispose();

        Assert.Throws<ObjectDisposedException>(() => _whole.Forward([step], _team));
    }

    public void Dispose()
    {
        _whole.Dispose();
        _middle.Dispose();
        _checkpoint.Dispose();
        _team.Dispose();
    }

    private static ShardStep Step(TransformerShard shard, int count)
    {
        var hidden = new float[count * shard.Shape.HiddenSize];
        Array.Fill(hidden, 0.5f);
        return new ShardStep
        {
            Cache = shard.CreateCache(60),
            Count = count,
            Tokens = Enumerable.Range(0, count).ToArray(),
            Hidden = hidden,
            LogitRows = 1,
            Logits = new float[shard.Shape.VocabularySize],
        };
    }

    private void AssertRefused<TException>(string says, params ShardStep[] steps)
        where TException : Exception =>
        Assert.Contains(says, Assert.Throws<TException>(() => _middle.Forward(steps, _team)).Message, StringComparison.Ordinal);

    private void AssertComputesAsIfNothingHappened(ShardStep step)
    {
        var fresh = Step(_middle, step.Count);
        _middle.Forward([fresh], _team);
        _middle.Forward([step], _team);
        Assert.Equal(fresh.Hidden.ToArray(), step.Hidden.ToArray());
        Assert.Equal(step.Count, step.Cache.Length);
    }

    /// <summary>A source whose down projections, or those of its keys, are multiplied by a factor, or whose shape is another's.</summary>
    private sealed class ScaledSource(Checkpoint source, double factor, ModelShape? shape = null, bool scalesKeys = false) : IModelSource
    {
        public ModelId Id => source.Id;

        public ModelShape Shape => shape ?? source.Shape;

        public string Folder => source.Folder;

        public long UnitBytes(int unit) => source.UnitBytes(unit);

        public IEmbedding LoadEmbedding() => source.LoadEmbedding();

        public HeadWeights LoadHead() => source.LoadHead();

        public LayerWeights LoadLayer(int layer)
        {
            var weights = source.LoadLayer(layer);
            LinearLayer Scaled(string name, LinearLayer matrix)
            {
                var values = source.Read($"model.layers.{layer}.{name}.weight", matrix.Outputs, matrix.Inputs);
                return new CheckpointLinear(matrix.Inputs, matrix.Outputs, [.. values.Select(value => (float)(value * factor))], null);
            }

            return new LayerWeights
            {
                InputNorm = weights.InputNorm,
                Query = weights.Query,
                Key = scalesKeys ? Scaled("self_attn.k_proj", weights.Key) : weights.Key,
                Value = weights.Value,
                Output = weights.Output,
                PostAttentionNorm = weights.PostAttentionNorm,
                Gate = weights.Gate,
                Up = weights.Up,
                Down = scalesKeys ? weights.Down : Scaled("mlp.down_proj", weights.Down),
            };
        }

        public void Dispose()
        {
        }
    }
}
