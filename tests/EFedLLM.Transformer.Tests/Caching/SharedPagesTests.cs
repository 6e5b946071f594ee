using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Blocks;

namespace EFedLLM.Transformer.Tests.Caching;

/// <summary>Whole pages that the caches of several sessions hold at once.</summary>
public sealed class SharedPagesTests : IDisposable
{
    private const int Page = KvCache.PagePositions;

    private readonly RandomCheckpoint _checkpoint = new(seed: 43, ("max_position_embeddings", "300"));
    private readonly ComputeTeam _team = new(1);
    private readonly TransformerShard _shard;

    public SharedPagesTests() => _shard = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 3));

    [Fact]
    public void A_cache_that_begins_with_pages_of_another_goes_on_as_if_it_had_computed_them()
    {
        var tokens = Tokens(seed: 1, 230);
        using var first = Fed(tokens);
        using var second = _shard.CreateCache(300);
        second.Adopt(first.Share(3));
        Assert.Equal((3 * Page, KvCache.BytesFor(_shard.Shape, _shard.Range, 3 * Page)), (second.Length, second.AllocatedBytes));

        Assert.Equal(Feed(first, Tokens(seed: 2, 20)), Feed(_shard.CreateCache(300), [.. tokens, .. Tokens(seed: 2, 20)])[^(20 * _shard.Shape.HiddenSize)..]);
        Feed(second, tokens[(3 * Page)..]);
        first.Truncate(230);
        Assert.Equal(Rows(first), Rows(second));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(100)]
    [InlineData(128)]
    [InlineData(191)]
    public void What_is_written_after_going_back_into_a_shared_page_changes_nobody_elses(int length)
    {
        var tokens = Tokens(seed: 3, 200);
        using var giver = Fed(tokens);
        using var taker = _shard.CreateCache(300);
        taker.Adopt(giver.Share(3));
        var before = Rows(giver);

        taker.Truncate(length);
        Feed(taker, Tokens(seed: 4, 100));
        Assert.Equal(before, Rows(giver));

        var kept = Rows(taker);
        giver.Truncate(length);
        Feed(giver, Tokens(seed: 5, 100));
        Assert.Equal(kept, Rows(taker));
        Assert.Equal(KvCache.BytesFor(_shard.Shape, _shard.Range, taker.Length), taker.AllocatedBytes);

        // Whoever comes later begins with what was given, not with what became of it.
        using var alone = Fed([.. tokens[..length], .. Tokens(seed: 5, 100)]);
        Assert.Equal(Rows(alone), Rows(giver));
    }

    [Fact]
    public void Only_whole_pages_are_given_and_only_to_an_empty_cache_of_the_same_range_that_has_room()
    {
        using var giver = Fed(Tokens(seed: 6, 130));
        Assert.Throws<ArgumentOutOfRangeException>(() => giver.Share(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => giver.Share(-1));
        var pages = giver.Share(2);

        using var begun = Fed([1]);
        Assert.Throws<InvalidOperationException>(() => begun.Adopt(pages));
        using var small = _shard.CreateCache((2 * Page) - 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => small.Adopt(pages));
        Assert.Equal(0, small.Length);

        using var other = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 2));
        using var foreign = other.CreateCache(300);
        Assert.Throws<ArgumentException>(() => foreign.Adopt(pages));
        Assert.Equal((0, 0), (foreign.Length, foreign.AllocatedBytes));

        using var plain = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 1));
        using var layerless = plain.CreateCache(300);
        Assert.Throws<ArgumentException>(() => layerless.Adopt(pages));
        Assert.Throws<InvalidOperationException>(() => layerless.Share(0));

        giver.Dispose();
        Assert.Throws<ObjectDisposedException>(() => giver.Share(0));
        using var taker = _shard.CreateCache(300);
        taker.Adopt(pages);
        Assert.Equal(2 * Page, taker.Length);
    }

    public void Dispose()
    {
        _shard.Dispose();
        _checkpoint.Dispose();
        _team.Dispose();
    }

    private int[] Tokens(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(_shard.Shape.VocabularySize))];
    }

    private KvCache Fed(int[] tokens)
    {
        var cache = _shard.CreateCache(300);
        Feed(cache, tokens);
        return cache;
    }

    private float[] Feed(KvCache cache, int[] tokens)
    {
        var hidden = new float[tokens.Length * _shard.Shape.HiddenSize];
        _shard.Forward([new ShardStep { Cache = cache, Count = tokens.Length, Tokens = tokens, Hidden = hidden }], _team);
        return hidden;
    }

    private static Half[] Rows(KvCache cache)
    {
        var rows = new Half[cache.Length * cache.PositionValues];
        cache.Export(0, 0, rows);
        return rows;
    }
}
