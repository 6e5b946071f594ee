using EFedLLM.Node.Bench;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Node.Tests.Bench;

public sealed class TrafficTests
{
    private static readonly Blocking Usual = new(new CacheSizes(32 << 10, 512 << 10, 32 << 20, true));

    [Fact]
    public void Where_nothing_is_filled_up_a_token_reads_what_it_must()
    {
        using var small = new SmallModel();
        var traffic = Traffic.OfToken(small.Model.Manifest);
        Assert.Equal(traffic.LowerBound, traffic.Counted);
        using var shard = TransformerShard.Load(small.Model, LayerRange.Whole(small.Model.Shape.Layers));
        Assert.Equal(shard.WeightBytesPerToken, traffic.Counted);
    }

    [Fact]
    public void Groups_that_are_filled_up_are_counted()
    {
        using var small = new SmallModel(hidden: 80);
        var traffic = Traffic.OfToken(small.Model.Manifest);
        Assert.InRange(traffic.Ratio, 1.01, 1.25);
    }

    [Fact]
    public void A_prompt_is_read_once_where_the_caches_hold_it_and_else_once_for_each_window()
    {
        using var small = new SmallModel();
        var (manifest, none) = (small.Model.Manifest, new Blocking(Usual.Caches with { Level3 = 0 }));
        var (held, again) = (Traffic.OfStep(manifest, 32, Usual), Traffic.OfStep(manifest, 32, none));
        Assert.Equal(held.LowerBound, again.LowerBound);
        Assert.InRange(held.Ratio, 1, 1.1);
        Assert.True(held.Counted <= again.Counted);
        var narrow = new Blocking(none.Caches with { Level2 = 8 << 10 });
        Assert.True(Traffic.OfStep(manifest, 32, narrow).Counted > again.Counted);
    }

    [Fact]
    public void An_explanation_accounts_for_the_model()
    {
        using var small = new SmallModel();
        var facts = Explanation.Of(small.Model, [1], FakePeer.Settings, CancellationToken.None);
        Assert.Equal(8, facts.Matrices.Count);
        Assert.Equal([8], facts.Instructions.Select(instruction => instruction.Bits));
        Assert.Equal(Traffic.OfToken(small.Model.Manifest), facts.Token);
        Assert.InRange(facts.Bandwidths[0].BytesPerSecond, 1e8, 1e13);
        Assert.Equal(facts.Bandwidths[0].BytesPerSecond / facts.Token.LowerBound, facts.Ceiling(facts.Bandwidths[0]));
    }
}
